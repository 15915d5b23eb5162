"""Everything that engines and the sweep do to events of runs: one transaction per run, which locks the run first."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

import jsonschema_rs

from pyscrai.contract.events import CallRecord, Claimed, Finish, Finished, Grant, Reserve
from pyscrai.contract.runs import Trouble
from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.choices import Price
from pyscrai.domain.view import result_schema
from pyscrai.domain.work import Work
from pyscrai_api.database import Pool
from pyscrai_api.errors import NotFound
from pyscrai_api.money import reservations, settlements
from pyscrai_api.queue import store
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.ports import ClaimedRow, PermanentFailure, Validator
from pyscrai_api.runs.claims import Claims
from pyscrai_api.runs.commit import Committed, Committer
from pyscrai_api.runs.folds import Folds
from pyscrai_api.runs.locked import LockedRun, lock
from pyscrai_api.runs.plans import Plans

_RUN_OF = "SELECT id, run_id FROM events WHERE id = ANY($1)"
_LANES = "SELECT DISTINCT lane FROM queue WHERE run_id = $1 AND state = 2"
_DEAD = "SELECT id, event_type, seat FROM events WHERE id = ANY($1) ORDER BY id"


@dataclass
class Transaction:
    """An open transaction on one locked run. `finish_step` after the queue's part; the rest happens by itself."""

    run: LockedRun
    committed: Committed = field(default_factory=Committed)
    lanes: set[str] = field(default_factory=set)


class RunEvents:
    """The queue's port into runs (`queue.ports.RunFinisher`), and the transactions that `control` shares."""

    def __init__(
        self, pool: Pool, bell: Bell, plans: Plans, claims: Claims, prices: Mapping[str, Price], folds: Folds
    ) -> None:
        self._pool = pool
        self._bell = bell
        self._plans = plans
        self._claims = claims
        self._prices = prices
        self.committer = Committer(plans, folds)

    @asynccontextmanager
    async def transaction(self, run_id: UUID, *, if_free: bool = False) -> AsyncIterator[Transaction | None]:
        """Lock a run, let the caller change it, save it, and after the commit ring who waits.

        None where there is no such run, or (`if_free`) somebody else holds it.
        """
        async with self._pool.acquire() as conn:
            async with conn.transaction():
                run = await lock(conn, run_id, if_free=if_free)
                if run is None:
                    yield None
                    return
                before = run.last_seq
                open_one = Transaction(run)
                yield open_one
                await run.save()
            self.committer.committed(run_id, open_one.committed)
            for lane in open_one.committed.lanes | open_one.lanes:
                self._bell.ring_lane(lane)
            if run.last_seq != before:
                self._bell.ring_run(run_id)

    async def finish(self, engine_id: UUID, run_id: UUID, items: Sequence[Finish]) -> list[Finished]:
        """Outcomes, failures and hand-backs of one run, in order; commits the step where nothing is open then."""
        async with self.transaction(run_id) as tx:
            if tx is None:
                return [Finished(event_id=item.event_id, state="unknown") for item in items]
            answers = await self._finish(tx, engine_id, items)
            tx.committed = await self.committer.commit_if_done(tx.run)
        return [answers[item.event_id] for item in items]

    async def _finish(self, tx: Transaction, engine_id: UUID, items: Sequence[Finish]) -> dict[int, Finished]:
        run, conn = tx.run, tx.run.conn
        of = {status: [i for i in items if i.status == status] for status in ("completed", "failed", "handed_back")}
        await store.lock_rows(conn, *of.values())
        done = await store.finish_rows(conn, engine_id, [_finish_row(item) for item in of["completed"]])
        failed = await store.fail_rows(conn, engine_id, [_fail_row(item) for item in of["failed"]], own_retry=True)
        back = [store.HandBack(item.event_id, item.lease_no, hold=not run.running) for item in of["handed_back"]]
        handed = await store.hand_back_rows(conn, engine_id, back)
        run.open -= sum(row.removed for row in done)
        await settlements.assume(run, [(r.event_id, r.lease_no) for r in (*done, *failed, *handed) if r.ended])
        await self._bury(run, [row.event_id for row in failed if row.died])
        if await reservations.release_affordable(run) or any(row.ended for row in handed):
            await _ring_ready(tx)
        return {row.event_id: row.finished() for row in (*done, *failed, *handed)}

    async def _bury(self, run: LockedRun, dead: list[int]) -> None:
        """Dead letters block the run or fail it, as was chosen; either way the log says so."""
        if not dead or run.terminal:
            return
        for row in await run.conn.fetch(_DEAD, dead):
            error, code = await store.last_error(run.conn, row["id"])
            who = f" of {row['seat']}" if row["seat"] else ""
            body = {"event_id": row["id"], "event_type": row["event_type"], "seat": row["seat"], "error": error}
            run.log("event_dead", body, seat=row["seat"])
            message = f"{row['event_type']}{who} failed for good: {error}"
            trouble = Trouble(code=code or "event_dead", message=message, event_id=row["id"], seat=row["seat"])
        if run.choices.get("on_dead_letter") == "fail":
            await self.end(run, "failed", "run_failed", trouble)
        elif run.running:
            run.stop("blocked", "run_blocked", trouble)

    async def end(self, run: LockedRun, status: str, kind: str, trouble: Trouble | None) -> None:
        """End a run before its story does: what is open is cancelled, its leases are gone."""
        ended = await store.cancel_rows(run.conn, run.id)
        await settlements.assume(run, [(lease.event_id, lease.lease_no) for lease in ended])
        run.open = 0
        if trouble is not None:
            run.stop(status, kind, trouble)
        else:
            run.status, run.reason = status, None
            run.log(kind)

    async def settle(self, engine_id: UUID, calls: Sequence[CallRecord]) -> None:
        """Model calls that were made, whatever became of their leases."""
        for run_id, group in await self._by_run(calls, lambda call: call.event_id):
            if run_id is None:
                continue
            async with self.transaction(run_id) as tx:
                if tx is not None:
                    await settlements.settle(tx.run, group)
                    if await reservations.release_affordable(tx.run):
                        await _ring_ready(tx)

    async def reserve(self, engine_id: UUID, calls: Sequence[Reserve]) -> list[Grant]:
        """Money for model calls, in order; a refused event has been handed back when this returns."""
        grants: dict[tuple[int, int], Grant] = {}
        for run_id, group in await self._by_run(calls, lambda call: call.event_id):
            if run_id is None:
                found = [Grant(event_id=c.event_id, call=c.call, state="stale", detail="no such event") for c in group]
            else:
                async with self.transaction(run_id) as tx:
                    assert tx is not None  # an event's run exists: a foreign key says so
                    plan = await self._plans.of(tx.run.conn, run_id)
                    found = await reservations.reserve(tx.run, plan, engine_id, group, self._prices)
            grants |= {(grant.event_id, grant.call): grant for grant in found}
        return [grants[call.event_id, call.call] for call in calls]

    async def sweep_run(self, run_id: UUID, event_ids: Sequence[int]) -> int:
        """Take back expired leases; returns how many. 0 where somebody else holds the run."""
        async with self.transaction(run_id, if_free=True) as tx:
            if tx is None:
                return 0
            expired = await store.expire_rows(tx.run.conn, list(event_ids))
            await settlements.assume(tx.run, [(row.event_id, row.lease_no) for row in expired])
            await self._bury(tx.run, [row.event_id for row in expired if row.died])
            if expired:
                await _ring_ready(tx)
        return len(expired)

    async def claim_details(self, items: Sequence[ClaimedRow]) -> list[Claimed | PermanentFailure]:
        """Views, prompts and schemas of events that were just claimed, in order, each by itself."""
        return await self._claims.details(items)

    async def result_schema(self, run_id: UUID, event_type: str, payload: str) -> Validator | None:
        """What a result of this event must look like; compiled once. None: any object."""
        async with self._pool.acquire() as conn:
            plan = await self._plans.of(conn, run_id)
        phase = next((phase for phase, kind in plan.event_types.items() if kind.name == event_type), None)
        if phase is None:
            raise NotFound(f"the run {run_id} has no event type {event_type}")
        work = Work(event_type=event_type, turn=1, phase=phase, payload=json.loads(payload))
        schema = result_schema(plan, work)
        return _validator(canonical(normalise(schema))) if schema else None

    async def redrive(self, run_id: UUID, event_ids: Sequence[int]) -> list[int]:
        """Dead letters of a run back to work; returns which."""
        async with self.transaction(run_id) as tx:
            if tx is None or tx.run.terminal:
                return []
            back = await store.redrive_rows(tx.run.conn, list(event_ids))
            await _ring_ready(tx)
        return back

    async def discard(self, run_id: UUID, event_ids: Sequence[int]) -> list[int]:
        """Dead letters of a run given up: finished without a result; returns which."""
        async with self.transaction(run_id) as tx:
            if tx is None:
                return []
            gone = await store.discard_rows(tx.run.conn, list(event_ids))
            tx.run.open -= len(gone)
            tx.committed = await self.committer.commit_if_done(tx.run)
        return gone

    async def _by_run(
        self, items: Sequence[Any], event_id: Callable[[Any], int]
    ) -> list[tuple[UUID | None, list[Any]]]:
        """Items grouped by their event's run, in run order (the lock order); None: no run, or no such event."""
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(_RUN_OF, list({event_id(item) for item in items}))
        run_of = {row["id"]: row["run_id"] for row in rows}
        groups: dict[UUID | None, list[Any]] = {}
        for item in items:
            groups.setdefault(run_of.get(event_id(item)), []).append(item)
        return sorted(groups.items(), key=lambda pair: str(pair[0]))


def _finish_row(item: Finish) -> store.FinishRow:
    text = canonical(normalise(item.result or {}))
    return store.FinishRow(item.event_id, item.lease_no, text)


def _fail_row(item: Finish) -> store.FailRow:
    return store.FailRow(
        event_id=item.event_id,
        lease_no=item.lease_no,
        error=item.error or "the engine said no reason",
        code=item.code,
        retry_after=item.retry_after,
        permanent=item.permanent,
    )


async def _ring_ready(tx: Transaction) -> None:
    """Ring, after the commit, every lane in which the run has something ready."""
    tx.lanes |= {row["lane"] for row in await tx.run.conn.fetch(_LANES, tx.run.id)}


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Validator:
    found: Validator = jsonschema_rs.validator_for(schema)
    return found
