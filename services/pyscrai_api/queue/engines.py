"""Engines: who is there, what they hold, and keeping it alive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from pyscrai.contract.engines import EngineInstance, Heartbeat, RegisterEngine
from pyscrai.domain.canonical import normalise
from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.database import Pool
from pyscrai_api.errors import Conflict, Invalid, Unauthorized
from pyscrai_api.ids import new_id
from pyscrai_api.people.pools import check_engine_pool
from pyscrai_api.queue.claimants import Claimants, unknown
from pyscrai_api.queue.lanes import is_lane, lane_of
from pyscrai_api.queue.statements import sql
from pyscrai_api.tokens import engine_token

LEASE_SECONDS = 300.0
"""For clients that register without asking; ours ask for 20."""
LONGEST_LEASE = 3600.0
"""Seconds from the claim to which a client that lists no leases is renewed."""
HEARTBEATS_PER_LEASE = 4
BIGGEST_ID, BIGGEST_NUMBER = 2**63 - 1, 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Held:
    event_id: int
    run_id: UUID | None
    lease_no: int


@dataclass(frozen=True, kw_only=True)
class Beat:
    """What a heartbeat led to. `unlisted` leases must be given back."""

    engine: EngineInstance
    renewed: list[int]
    lost: list[int]
    cancel: list[int]
    unlisted: list[Held]


class Engines:
    """The engines of the installation."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.claimants = Claimants(pool)

    async def register(self, wanted: RegisterEngine, owner: str) -> tuple[EngineInstance, str]:
        """A new engine and its token, which is not shown again. Raises Invalid for a name that no lane can have,
        Forbidden for a lane of other people's work."""
        engine_type = wanted.engine_type.strip()
        check_engine_pool(owner, wanted.pool)
        lane = lane_of(engine_type, wanted.pool)
        if not is_lane(lane) or ":" in engine_type:
            raise Invalid(f"{lane[:100]!r} cannot name a lane: letters, digits, `_`, `.` and `-`, a letter first")
        lease = wanted.lease_seconds or LEASE_SECONDS
        heartbeat = min(wanted.heartbeat_seconds or lease / HEARTBEATS_PER_LEASE, lease / 2)
        engine_id = new_id()
        token, hashed = engine_token(engine_id)
        row = await self._pool.fetchrow(
            sql("engines", "register"),
            engine_id, engine_type, wanted.pool, lane, owner, hashed, _json(wanted.capabilities),
            _json(wanted.resource_limits.model_dump(exclude_none=True)), _json(wanted.metadata), lease, heartbeat,
            wanted.protocol,
        )  # fmt: skip
        if row is None:
            raise Unauthorized("this token is not known here")
        return shown(row), token

    async def get(self, engine_id: UUID, viewer: str) -> EngineInstance:
        """One engine, also one that is gone. Raises NotFound, also for other people's."""
        row = await self._pool.fetchrow(sql("engines", "one"), engine_id, viewer)
        if row is None:
            raise unknown(engine_id)
        return shown(row)

    async def own(self, engine_id: UUID, owner: str) -> None:
        """Raises NotFound for an engine that this owner did not register."""
        if await self._pool.fetchval(sql("engines", "owner"), engine_id) != owner:
            raise unknown(engine_id)

    async def page(
        self, viewer: str, *, engine_type: str | None, status: str | None, lane: str | None, limit: int
    ) -> list[EngineInstance]:
        """Engines in the order of their registration; without a status, those that live."""
        rows = await self._pool.fetch(sql("engines", "page"), engine_type, status, limit, lane, viewer)
        return [shown(row) for row in rows]

    async def health(self, viewer: str) -> list[dict[str, Any]]:
        """How many engines of each lane live."""
        return [dict(row) for row in await self._pool.fetch(sql("engines", "health"), viewer)]

    async def claimed_before(self, engine_id: UUID, claim_id: UUID) -> list[int]:
        """The events that an engine still holds under a claim: what a repeat of it is answered with."""
        return [row["id"] for row in await self._pool.fetch(sql("claim", "claimed_before"), engine_id, claim_id)]

    async def beat(self, engine_id: UUID, beat: Heartbeat) -> Beat:
        """Renew what is listed, or everything where nothing is. Raises NotFound, also for an engine that is gone."""
        try:
            return await self._beat(engine_id, beat)
        finally:
            self.claimants.forget(engine_id)

    async def _beat(self, engine_id: UUID, beat: Heartbeat) -> Beat:
        leases = None if beat.leases is None else {
            lease.event_id: lease.lease_no for lease in beat.leases
            if 0 < lease.event_id <= BIGGEST_ID and 0 < lease.lease_no <= BIGGEST_NUMBER
        }  # fmt: skip
        workload = max(0, min(beat.current_workload, BIGGEST_NUMBER))
        async with self._pool.acquire() as conn, conn.transaction():
            row = await conn.fetchrow(
                sql("engines", "beat"), engine_id, workload, _json(beat.resource_utilization), beat.status == "draining"
            )
            if row is None:
                raise unknown(engine_id)
            lease_seconds = float(row["lease_seconds"])
            if leases is None:
                renewed = await conn.fetch(sql("engines", "renew_all"), engine_id, lease_seconds, LONGEST_LEASE)
                return Beat(engine=shown(row), renewed=_ids(renewed), lost=[], cancel=[], unlisted=[])
            listed = list(leases)
            renewed = _ids(await conn.fetch(
                sql("engines", "renew"), engine_id, listed, list(leases.values()), lease_seconds
            ))  # fmt: skip
            patience = 2 * float(row["heartbeat_seconds"])
            unlisted = await conn.fetch(sql("engines", "unlisted"), engine_id, listed, patience)
            lost = sorted(set(listed) - set(renewed))
            cancel = [r["event_id"] for r in await conn.fetch(sql("engines", "cancelled"), lost)] if lost else []
        return Beat(engine=shown(row), renewed=renewed, lost=lost, cancel=cancel, unlisted=_held(unlisted))

    async def stop(self, engine_id: UUID, status: Literal["active", "paused", "draining"]) -> EngineInstance:
        """Pause an engine, let it go on, or have it drain. Raises NotFound; Conflict for one that drains already."""
        row = await self._pool.fetchrow(sql("engines", "stop"), engine_id, status)
        self.claimants.forget(engine_id)
        if row is not None:
            return shown(row)
        row = await self._pool.fetchrow(sql("engines", "one"), engine_id, LOCAL_OWNER)
        if row is None or row["status"] == "gone":
            raise unknown(engine_id)
        if status != "draining":
            raise Conflict(f"engine {engine_id} drains: it finishes what it has and leaves; start another one")
        return shown(row)

    async def leave(self, engine_id: UUID) -> list[Held]:
        """An engine goes. Returns the leases that it still holds, to be given back. Raises NotFound."""
        async with self._pool.acquire() as conn:
            left = await conn.fetchval(sql("engines", "leave"), engine_id)
            self.claimants.forget(engine_id)
            if left is None:
                raise unknown(engine_id)
            return _held(await conn.fetch(sql("engines", "held"), engine_id))


def shown(row: Any) -> EngineInstance:
    """An engine as the API shows it."""
    return EngineInstance(
        id=str(row["id"]),
        engine_type=row["engine_type"],
        status=row["status"],
        last_heartbeat=row["last_heartbeat"].isoformat(),
        current_workload=row["current_workload"],
        engine_metadata=json.loads(row["engine_metadata"]),
        capabilities=json.loads(row["capabilities"]),
        resource_limits=json.loads(row["resource_limits"]),
        pool=row["pool"],
        lane=row["lane"],
        heartbeat_seconds=float(row["heartbeat_seconds"]),
        lease_seconds=float(row["lease_seconds"]),
    )


def _json(value: Any) -> str:
    return json.dumps(normalise(value), allow_nan=False)


def _ids(rows: Sequence[Any]) -> list[int]:
    return sorted(row["id"] for row in rows)


def _held(rows: Sequence[Any]) -> list[Held]:
    return [Held(event_id=row["id"], run_id=row["run_id"], lease_no=row["lease_no"]) for row in rows]
