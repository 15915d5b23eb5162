"""What a claim needs to know of the engine that asks."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from pyscrai_api.database import Pool
from pyscrai_api.errors import NotFound
from pyscrai_api.queue.statements import sql

FRESH = 1.0
"""Seconds for which an engine is taken for what it was. A parked claim was let in by what was known when it came, which
may be a minute ago; so what changes elsewhere (an engine that is gone, an event type that is archived) may as well be a
second old. What changes through this process is known at once."""
REMEMBERED = 4096


@dataclass(frozen=True, kw_only=True)
class Claimant:
    """An engine that asks for work. `types`: the event types that its capabilities name."""

    lane: str
    engine_type: str
    draining: bool
    paused: bool
    lease_seconds: float
    types: frozenset[str] | None


class Claimants:
    """The engines that asked latest."""

    def __init__(self, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._known: OrderedDict[UUID, tuple[float, Claimant]] = OrderedDict()
        self._forgotten = 0

    async def get(self, engine_id: UUID) -> Claimant:
        """An engine, as of a moment ago. Raises NotFound, also for one that is gone."""
        known = self._known.get(engine_id)
        if known is not None and self._clock() - known[0] < FRESH:
            return known[1]
        return await self._read(engine_id)

    def lane_of(self, engine_id: UUID) -> str | None:
        """The lane of an engine that asked before, which never changes."""
        known = self._known.get(engine_id)
        return None if known is None else known[1].lane

    def forget(self, engine_id: UUID | None = None) -> None:
        """An engine has changed, or (None) any may have."""
        self._forgotten += 1
        if engine_id is None:
            self._known.clear()
        else:
            self._known.pop(engine_id, None)

    async def _read(self, engine_id: UUID) -> Claimant:
        now, forgotten = self._clock(), self._forgotten
        row = await self._pool.fetchrow(sql("engines", "to_claim"), engine_id)
        if row is None or row["status"] == "gone":
            self._known.pop(engine_id, None)
            raise unknown(engine_id)
        if row["silent"]:  # asking for work is a sign of life too; once in a heartbeat's time is enough of it
            await self._pool.execute(sql("engines", "seen"), engine_id)
        found = Claimant(
            lane=row["lane"],
            engine_type=row["engine_type"],
            draining=row["status"] == "draining",
            paused=row["status"] == "paused",
            lease_seconds=float(row["lease_seconds"]),
            types=frozenset(row["types"]) if row["types"] else None,
        )
        if forgotten == self._forgotten:  # else it may have been read before the change
            self._known[engine_id] = now, found
            self._known.move_to_end(engine_id)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found


def unknown(engine_id: UUID) -> NotFound:
    """For an engine that there is not, or that is gone."""
    return NotFound(f"there is no engine {engine_id}, or it is gone; register again")
