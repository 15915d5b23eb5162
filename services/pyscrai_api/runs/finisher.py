"""Everything that engines and the sweep do to events of runs: one transaction per run, which locks the run first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

import jsonschema_rs

from pyscrai.contract.events import CallRecord, Claimed, Finish, Finished, Grant, Reserve
from pyscrai.contract.runs import Trouble
from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.view import result_schema
from pyscrai.domain.work import Work as PlannedWork
from pyscrai_api.database import Pool
from pyscrai_api.money import cache, reservations, settlements, waiting
from pyscrai_api.money.bills import log_bills
from pyscrai_api.money.terms import Terms
from pyscrai_api.queue import people, store
from pyscrai_api.queue.deferring import put_off
from pyscrai_api.queue.fairness import Fairness
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.ports import ClaimedRow, Observer, PermanentFailure, Validator
from pyscrai_api.runs import asking
from pyscrai_api.runs.claims import Claims
from pyscrai_api.runs.commit import Committed, Committer, StepError
from pyscrai_api.runs.folds import Folds
from pyscrai_api.runs.locked import LockedRun, lock
from pyscrai_api.runs.places import lock_owner_of
from pyscrai_api.runs.plans import Plans

T = TypeVar("T")
Work = Callable[[LockedRun], Awaitable[T]]
_READY = """
SELECT DISTINCT ON (lane) id, lane, rank, pass FROM queue WHERE run_id = $1 AND state = 2 ORDER BY lane, rank, pass, id
"""
_DEAD = "SELECT id, event_type, seat FROM events WHERE id = ANY($1) ORDER BY id"


class RunEvents:
    """The queue's port into runs (`queue.ports.RunFinisher`), and the transactions that `control` shares."""

    def __init__(
        self, pool: Pool, bell: Bell, plans: Plans, claims: Claims, terms: Terms, folds: Folds, fairness: Fairness
    ) -> None:
        self._pool = pool
        self._bell = bell
        self._plans = plans
        self._claims = claims
        self._terms = terms
        self.committer = Committer(plans, folds, fairness)
        self.observer: Observer | None = None
        self.places_changed = asyncio.Event()
        self.deadlines_changed = asyncio.Event()

    async def change(self, run_id: UUID, work: Work[T], *, if_free: bool = False, to_play: bool = False) -> T | None:
        """Lock a run, let `work` change it, commit its step where nothing is open then, save, ring who waits.

        None where there is no such run, or (`if_free`) somebody else holds it. `to_play`: `work` may let the run play,
        so nobody else lets one of the same owner play meanwhile (`places`). `work` may be called twice: where the
        step cannot be committed, everything is undone and done again with the run blocked instead.
        """
        try:
            return await self._attempt(run_id, work, if_free, to_play, None)
        except StepError as error:
            return await self._attempt(run_id, work, if_free, to_play, error)

    async def _attempt(
        self, run_id: UUID, work: Work[T], if_free: bool, to_play: bool, broken: StepError | None
    ) -> T | None:
        done = None
        async with self._pool.acquire() as conn, conn.transaction():
            if to_play:
                await lock_owner_of(conn, run_id)
            run = await lock(conn, run_id, if_free=if_free)
            if run is None:
                return None
            before, played = run.last_seq, run.running
            found = await work(run)
            run.stand()
            if run.running and not run.open:
                if broken is None:
                    done = await self.committer.commit(run)
                else:
                    run.stop("blocked", "run_blocked", Trouble(code="policy_error", message=str(broken)))
            await run.save()
        self.after_commit(run, done, news=run.last_seq != before)
        if run.status == "pending" or (played and not run.running):
            self.places_changed.set()
        return found

    def after_commit(self, run: LockedRun, done: Committed | None, *, news: bool) -> None:
        """What may only be known once the transaction has committed."""
        if done is not None:
            self.committer.committed(run.id, done)
        for lane, place in run.lanes.items():
            self._bell.ring_lane(lane, place)
        if self.observer is not None and (run.lost or run.died):
            self.observer.lost(run.lost)
            self.observer.died(run.died)
        if run.recorded:
            self.deadlines_changed.set()
        log_bills(run.bills)
        if news:
            self._bell.ring_run(run.id)
        elif any(bill.cost for bill in run.bills):
            self._bell.ring_cost(run.id)

    async def finish(
        self, engine_id: UUID, run_id: UUID, items: Sequence[Finish], calls: Sequence[CallRecord] = ()
    ) -> list[Finished]:
        """Outcomes, failures and hand-backs of one run, in order; `calls` are settled whatever becomes of them."""

        async def work(run: LockedRun) -> dict[int, Finished]:
            await settlements.settle(run, engine_id, calls)
            return await self._finish(run, engine_id, items)

        try:
            answers = await self.change(run_id, work)
        except Exception:
            # The provider has been paid, whatever went wrong with the events.
            await self.settle(engine_id, run_id, calls)
            raise
        if answers is None:
            return [Finished(event_id=item.event_id, state="unknown") for item in items]
        return [answers[item.event_id] for item in items]

    async def _finish(self, run: LockedRun, engine_id: UUID, items: Sequence[Finish]) -> dict[int, Finished]:
        of = {status: [i for i in items if i.status == status] for status in ("completed", "failed", "handed_back")}
        if of["failed"]:
            await self._before_a_death(run)
        await store.lock_rows(run.conn, *of.values())
        looked_at = await asking.rules(run, of["completed"])
        finishes = [_finish_row(item) for item in of["completed"]]
        straight = [item for item in finishes if item.event_id not in looked_at]
        done = await store.finish_rows(run.conn, engine_id, straight)
        shown = [item for item in finishes if item.event_id in looked_at]
        proposed = await people.propose_rows(run.conn, engine_id, shown, looked_at)
        back, given_up = await put_off(run.conn, of["handed_back"], hold=not run.running)
        failures = [*(_fail_row(item) for item in of["failed"]), *given_up]
        failed = await store.fail_rows(run.conn, engine_id, failures, own_retry=True)
        handed = await store.hand_back_rows(run.conn, engine_id, back)
        run.open -= sum(row.removed for row in done)
        run.waiting += sum(row.ended for row in proposed)
        answered = [*done, *proposed]
        await settlements.assume(run, [(r.event_id, r.lease_no) for r in (*answered, *failed, *handed) if r.ended])
        if run.cached:
            kept = [(row.event_id, row.lease_no) for row in answered if row.ended]
            await cache.keep(run.conn, run.owner, run.seed, kept)
        await self._bury(run, [row.event_id for row in failed if row.died])
        await waiting.release_affordable(run, self._terms.wider)
        if any(row.ended for row in handed):
            await ring_ready(run)
        return {row.event_id: row.finished() for row in (*answered, *failed, *handed)}

    async def _before_a_death(self, run: LockedRun) -> None:
        """Where a dead letter may cancel everything else of the run: all its rows are locked in the order of ids first.

        Else a heartbeat that renews some of them would wait for the failed one, and the cancelling for those.
        """
        if run.choices.get("on_dead_letter") == "fail":
            await store.lock_run_rows(run.conn, run.id)

    async def _bury(self, run: LockedRun, dead: list[int]) -> None:
        """Dead letters block the run or fail it, as was chosen; either way the log says so."""
        run.died += dead
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
        elif run.playing:
            run.stop("blocked", "run_blocked", trouble)

    async def end(self, run: LockedRun, status: str, kind: str, trouble: Trouble | None) -> None:
        """End a run before its story does: what is open is cancelled, its leases are gone."""
        await people.cancelled(run.conn, run.id)
        ended = await store.cancel_rows(run.conn, run.id)
        await settlements.assume(run, [(lease.event_id, lease.lease_no) for lease in ended])
        run.open = run.waiting = 0
        if trouble is not None:
            run.stop(status, kind, trouble)
        else:
            run.status, run.reason = status, None
            run.log(kind)

    async def settle(self, engine_id: UUID, run_id: UUID, calls: Sequence[CallRecord]) -> None:
        """Model calls that were made, whatever became of their leases."""

        async def work(run: LockedRun) -> None:
            await settlements.settle(run, engine_id, calls)
            await waiting.release_affordable(run, self._terms.wider)

        if calls:
            await self.change(run_id, work)

    async def reserve(self, engine_id: UUID, run_id: UUID, calls: Sequence[Reserve]) -> list[Grant]:
        """Money for model calls of one run, in order; a refused event has been handed back when this returns."""

        async def work(run: LockedRun) -> list[Grant]:
            plan = await self._plans.of(run.conn, run_id, run.plan_version)
            grants, back = await reservations.reserve(run, engine_id, calls, self._terms, plan.choices.prices)
            if any(item.need is not None for item in back):
                await waiting.hold(run, self._terms.wider)
            return grants

        return await self.change(run_id, work) or []

    async def sweep_run(self, run_id: UUID, event_ids: Sequence[int]) -> int:
        """Take back expired leases; returns how many. 0 where somebody else holds the run."""

        async def work(run: LockedRun) -> int:
            await self._before_a_death(run)
            expired = await store.expire_rows(run.conn, list(event_ids))
            run.lost += [row.event_id for row in expired]
            await settlements.assume(run, [(row.event_id, row.lease_no) for row in expired])
            await self._bury(run, [row.event_id for row in expired if row.died])
            await waiting.release_affordable(run, self._terms.wider)
            await ring_ready(run)
            return len(expired)

        return await self.change(run_id, work, if_free=True) or 0

    async def close_calls(self, run_id: UUID, leases: Sequence[tuple[int, int]]) -> None:
        """Charge what is still reserved under leases (event, number) that are over at its upper bound."""

        async def work(run: LockedRun) -> None:
            await settlements.assume(run, list(leases))
            await waiting.release_affordable(run, self._terms.wider)

        await self.change(run_id, work)

    async def claim_details(self, items: Sequence[ClaimedRow]) -> list[Claimed | PermanentFailure]:
        """Views, prompts and schemas of events that were just claimed, in order, each by itself."""
        return await self._claims.details(items)

    async def result_schema(self, run_id: UUID, event_type: str, phase: str, payload: str) -> Validator | None:
        """What a result of this event must look like; compiled once. None: any object."""
        async with self._pool.acquire() as conn:
            plan = await self._plans.of(conn, run_id)
        work = PlannedWork(event_type=event_type, turn=1, phase=phase, payload=json.loads(payload))
        schema = result_schema(plan, work)
        return _validator(canonical(normalise(schema))) if schema else None


async def ring_ready(run: LockedRun) -> None:
    """Ring, after the commit, every lane in which the run has something ready."""
    run.woke(store.woken(row) for row in await run.conn.fetch(_READY, run.id))


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


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Validator:
    found: Validator = jsonschema_rs.validator_for(schema)
    return found
