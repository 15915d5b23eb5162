"""What people do to a run: pause, resume, cancel, change its limit. Each is one transaction on the locked run."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from uuid import UUID

from pyscrai.contract.runs import ChangeRun, Resume, Trouble
from pyscrai_api.errors import Conflict, Invalid, NotFound
from pyscrai_api.money import waiting
from pyscrai_api.money.terms import Terms
from pyscrai_api.queue import store
from pyscrai_api.runs.finisher import RunEvents
from pyscrai_api.runs.going import Play, out_of_money
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.runs.plans import Plans
from pyscrai_api.runs.seating import reseat

_LABEL = "UPDATE runs SET title = coalesce($2, title), labels = coalesce($3::jsonb, labels) WHERE id = $1"


class Control:
    """Commands on runs; all of them may be repeated without harm."""

    def __init__(self, events: RunEvents, plans: Plans, terms: Terms, play: Play) -> None:
        self._events = events
        self._plans = plans
        self._terms = terms
        self._play = play

    async def pause(self, run_id: UUID, by: str) -> None:
        """Let calls in flight finish, and start no new ones. Raises Conflict where it cannot be paused."""

        async def work(run: LockedRun) -> bool:
            if run.status == "paused" and (run.reason or {}).get("code") == "by_user":
                return True
            # Also a run that is out of money: it then waits for a person, and not for a higher limit.
            if not run.playing and run.status not in ("paused", "pending"):
                raise Conflict(f"the run is {run.status}; only a running one can be paused")
            run.stop("paused", "run_paused", Trouble(code="by_user", message=f"paused by {by}"))
            return True

        await self._change(run_id, work)

    async def resume(self, run_id: UUID, wanted: Resume) -> None:
        """Go on: dead letters get another chance, what was held is ready, a finished step commits.

        `wanted.limit` is the new limit; `model`, `seats` and `prices` change who answers from now on (see `reseat`);
        with `move`, open events go to `wanted.pool`. Resuming a run that runs changes only those. Where as many of the
        owner's runs play as may at once, it is pending until one of them ends or stands still.
        """

        async def work(run: LockedRun) -> bool:
            if run.terminal:
                raise Conflict(f"the run is {run.status}; it cannot go on")
            self._set_limit(run, wanted.limit)
            await reseat(run, self._plans, wanted, self._terms.prices)
            if wanted.move:
                run.pool = wanted.pool
                await store.move_pool(run.conn, run_id, wanted.pool)
            await self._play(run)
            return True

        try:
            await self._change(run_id, work, to_play=True)
        except BaseException:
            self._plans.drop(run_id)
            raise

    async def cancel(self, run_id: UUID) -> None:
        """End the run now; leases are gone, and calls in flight are charged when they settle."""

        async def work(run: LockedRun) -> bool:
            if run.status == "cancelled":
                return True
            if run.terminal:
                raise Conflict(f"the run is {run.status} already")
            await self._events.end(run, "cancelled", "run_cancelled", None)
            return True

        await self._change(run_id, work)

    async def change(self, run_id: UUID, wanted: ChangeRun) -> None:
        """A new title, labels or limit; a run that had run out of money goes on when its limit is raised."""

        async def work(run: LockedRun) -> bool:
            labels = None if wanted.labels is None else json.dumps(wanted.labels)
            await run.conn.execute(_LABEL, run_id, wanted.title, labels)
            if wanted.limit is None:
                return True
            if run.terminal:
                raise Conflict(f"the run is {run.status}; its limit does not matter any more")
            self._set_limit(run, wanted.limit)
            if out_of_money(run):
                await self._play(run)
            await waiting.release_affordable(run, self._terms.wider)
            return True

        await self._change(run_id, work, to_play=wanted.limit is not None)

    async def _change(
        self, run_id: UUID, work: Callable[[LockedRun], Awaitable[bool]], *, to_play: bool = False
    ) -> None:
        if not await self._events.change(run_id, work, to_play=to_play):
            raise NotFound(f"there is no run {run_id}")

    def _set_limit(self, run: LockedRun, wanted: Decimal | str | None) -> None:
        if wanted is None:
            return
        limit = None if wanted == "none" else Decimal(wanted)
        if limit is not None and limit < run.spent + run.reserved:
            bound = run.spent + run.reserved
            raise Invalid(f"{limit:f} USD is below the {bound:f} that are spent or reserved already")
        if limit is None and run.spent + run.reserved > 0:
            raise Invalid("a run that has spent money keeps a limit; give an amount")
        if limit != run.limit_usd:
            run.limit_usd = limit
            run.log("limit_changed", {"limit": None if limit is None else f"{limit:f}"})
