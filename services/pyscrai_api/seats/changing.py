"""Seats change hands while their run is under way: from a model to a person, and back.

Who sits there is no part of the story: the digest depends on what was said only. `human` stays what the run began with;
`taken` says what has happened since.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from pyscrai.contract.problems import FieldError
from pyscrai.contract.seats import ReleaseSeat, TakeSeat
from pyscrai.domain.choices import SeatChoice
from pyscrai.domain.plan import Plan
from pyscrai_api.errors import Conflict, Invalid, NotFound
from pyscrai_api.money import settlements, waiting
from pyscrai_api.money.terms import Terms
from pyscrai_api.queue import people
from pyscrai_api.runs.asking import rule_of
from pyscrai_api.runs.finisher import RunEvents
from pyscrai_api.runs.going import Play
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.runs.plans import Plans
from pyscrai_api.runs.seating import choose
from pyscrai_api.runs.start import check_money
from pyscrai_api.seats.finding import seat_of
from pyscrai_api.seats.onward import go_on

_DEAD = "SELECT count(*) FROM queue WHERE run_id = $1 AND state = 6"
Work = Callable[[LockedRun, Plan, str], Awaitable[None]]
"""What is done with a locked run, its plan and one of its seats."""


class Changing:
    """Both commands may be repeated without harm. Each raises NotFound, and Conflict where the run is over."""

    def __init__(self, events: RunEvents, plans: Plans, terms: Terms, play: Play) -> None:
        self._events = events
        self._plans = plans
        self._terms = terms
        self._play = play

    async def take(self, run_id: UUID, seat: str, wanted: TakeSeat, by: str) -> None:
        """A person plays the seat from now on: what its model has open waits for them, leases on it are over.

        A call that is under way is paid for, its answer comes too late. A dead letter of the seat waits for them too,
        and a run that was blocked by it goes on.
        """

        async def work(run: LockedRun, plan: Plan, seat: str) -> None:
            before, sits = plan.choice(seat), plan.by_person(seat)
            told = wanted.model_dump(exclude_none=True) | ({} if sits else {"taken": True})
            chosen = before.model_copy(update=told)
            if wanted.on_deadline and chosen.deadline is None:
                fault = FieldError(pointer="/on_deadline", message="there is no deadline; give one in seconds")
                raise Invalid("the seat cannot be taken like this", errors=[fault])
            if chosen != before:
                await self._choose(run, plan, seat, chosen, asks_model=chosen.on_deadline == "model")
            if not sits:
                run.log("seat_changed", {"seat": seat, "human": True, "by": by}, seat=seat)
            taken, leases = await people.take(run.conn, run.id, seat, *rule_of(chosen))
            run.waiting += taken
            await settlements.assume(run, leases)
            await waiting.release_affordable(run, self._terms.wider)
            if taken and run.status == "blocked" and not await run.conn.fetchval(_DEAD, run.id):
                await self._play(run)

        await self._change(run_id, seat, work)

    async def release(self, run_id: UUID, seat: str, wanted: ReleaseSeat, by: str) -> None:
        """A model plays the seat from now on: what waits for a person there is ready for it.

        Raises also what prices and limits object to.
        """

        async def work(run: LockedRun, plan: Plan, seat: str) -> None:
            if not plan.by_person(seat):
                return
            model = {"model": wanted.model} if wanted.model else {}
            chosen = plan.choice(seat).model_copy(update={"taken": False, **model})
            await self._choose(run, plan, seat, chosen, asks_model=True)
            run.log("seat_changed", {"seat": seat, "human": False, "by": by, **model}, seat=seat)
            waits = await people.waiting_of(run.conn, run.id, seat)
            woken = await people.to_model(run.conn, waits, "released", by)
            run.woke(woken)
            await go_on(run, self._terms, self._play, len(woken), finished=0)

        await self._change(run_id, seat, work)

    async def _choose(self, run: LockedRun, plan: Plan, seat: str, chosen: SeatChoice, *, asks_model: bool) -> None:
        choices = plan.choices.model_copy(update={"seats": {**plan.choices.seats, seat: chosen}})
        if asks_model:
            check_money(plan.model_copy(update={"choices": choices}), run.limit_usd, self._terms.prices, pointer="")
        await choose(run, choices)

    async def _change(self, run_id: UUID, wanted: str, work: Work) -> None:
        async def done(run: LockedRun) -> bool:
            if run.terminal:
                raise Conflict(f"the run is {run.status}; nobody plays it any more")
            plan = await self._plans.of(run.conn, run.id, run.plan_version)
            await work(run, plan, seat_of(plan, wanted))
            return True

        try:
            found = await self._events.change(run_id, done, to_play=True)
        except BaseException:
            self._plans.drop(run_id)
            raise
        if found is None:
            raise NotFound(f"there is no run {run_id}")
