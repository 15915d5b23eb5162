"""People at seats, for routes and loops: one door to the parts of this package."""

from __future__ import annotations

from uuid import UUID

from pyscrai.contract.inputs import WaitingInput
from pyscrai.contract.seats import Asked, SeatPage
from pyscrai.contract.wire import Page
from pyscrai.domain.injected import Injected
from pyscrai_api.database import Pool
from pyscrai_api.errors import NotFound
from pyscrai_api.money.terms import Terms
from pyscrai_api.runs import inputs
from pyscrai_api.runs.finisher import RunEvents
from pyscrai_api.runs.folds import Folds
from pyscrai_api.runs.going import Play
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.runs.plans import Plans
from pyscrai_api.seats import reading
from pyscrai_api.seats.changing import Changing
from pyscrai_api.seats.deadlines import Deadlines
from pyscrai_api.seats.finding import seat_of
from pyscrai_api.seats.moves import Moves


class Seats:
    """`moves`: what people say; `changing`: who sits where; `deadlines`: a loop's part."""

    def __init__(self, pool: Pool, events: RunEvents, plans: Plans, folds: Folds, terms: Terms, play: Play) -> None:
        self._pool = pool
        self._plans = plans
        self._folds = folds
        self.moves = Moves(pool, events, plans, terms, play)
        self.changing = Changing(events, plans, terms, play)
        self.deadlines = Deadlines(pool, events, terms, play)
        self._events = events

    async def inbox(
        self, owner: str, *, run_id: UUID | None, seat: str | None, after: str | None, limit: int
    ) -> Page[Asked]:
        """What the caller's runs ask of people."""
        async with self._pool.acquire() as conn:
            return await reading.inbox(conn, owner, run_id=run_id, seat=seat, after=after, limit=limit)

    async def whisper(self, run_id: UUID, seat: str, text: str, by: str) -> WaitingInput:
        """Something that this seat alone learns, with the run's next step. Raises NotFound, Conflict, Invalid."""

        async def work(run: LockedRun) -> WaitingInput:
            plan = await self._plans.of(run.conn, run_id, run.plan_version)
            wanted = Injected(kind="input", seat=seat_of(plan, seat), body={"text": text})
            return await inputs.add(run, plan, wanted, by)

        kept = await self._events.change(run_id, work)
        if kept is None:
            raise NotFound(f"there is no run {run_id}")
        return kept

    async def page(self, run_id: UUID, seat: str) -> SeatPage:
        """One seat of a run, with what it is asked. Raises NotFound."""
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            return await reading.seat_page(conn, self._plans, self._folds, run_id, seat)
