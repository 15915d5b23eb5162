"""Runs of one API process: its caches, and the doors that routes and the queue go through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from pyscrai.contract.branches import NewBranch
from pyscrai.contract.runs import NewReplay, NewRun, Snapshot
from pyscrai.domain.injected import Injected
from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import NotFound
from pyscrai_api.idempotency import Answer, Key, once
from pyscrai_api.money.terms import Terms
from pyscrai_api.people.pools import check_pool
from pyscrai_api.queue.entrance import Entrance
from pyscrai_api.queue.fairness import Fairness
from pyscrai_api.queue.notify import Bell
from pyscrai_api.runs import inputs, reading
from pyscrai_api.runs.admission import Admission
from pyscrai_api.runs.branching import start_branch
from pyscrai_api.runs.claims import Claims
from pyscrai_api.runs.commit import Committed
from pyscrai_api.runs.control import Control
from pyscrai_api.runs.finisher import RunEvents
from pyscrai_api.runs.folds import Folds
from pyscrai_api.runs.going import Going
from pyscrai_api.runs.letters import Letters
from pyscrai_api.runs.locked import LockedRun, lock
from pyscrai_api.runs.places import Places
from pyscrai_api.runs.plans import Plans
from pyscrai_api.runs.replays import start_replay
from pyscrai_api.runs.start import start_run
from pyscrai_api.seats.service import Seats
from pyscrai_api.settings import Settings

Told = Callable[[Connection, UUID], Awaitable[Answer]]
"""What is answered about a run that has just been made."""
Begun = Awaitable[tuple[LockedRun, Committed | None]]


class Runs:
    """`events` and `letters` are what the queue calls for events of runs; `control` is what people do, `going` what
    money does, and `admission` lets runs play of which there were too many, `seats` has the people."""

    def __init__(
        self, pool: Pool, bell: Bell, settings: Settings, terms: Terms, fairness: Fairness, entrance: Entrance
    ) -> None:
        self._pool = pool
        self._entrance = entrance
        self._settings = settings
        self._terms = terms
        self._plans = Plans(settings.default_model)
        self._folds = Folds()
        claims = Claims(pool, self._plans, self._folds, terms.providers.declared)
        self.events = RunEvents(pool, bell, self._plans, claims, terms, self._folds, fairness)
        self._places = Places(settings.runs_at_once, fairness)
        self.admission = Admission(pool, self.events, self._plans, self._places, terms.wider)
        self.seats = Seats(pool, self.events, self._plans, self._folds, terms, self.admission.play)
        self.control = Control(self.events, self._plans, terms, self.admission.play)
        self.letters = Letters(self.events, self.admission.play)
        self.going = Going(pool, self.events, terms.wider, self.admission.play)

    @property
    def plans(self) -> Plans:
        """The plans of runs, for those who only read."""
        return self._plans

    async def start(self, wanted: NewRun, owner: str, key: Key | None = None, told: Told | None = None) -> Answer:
        """Start a run; when this returns, its first events may be claimed, or it is pending (`places`). The answer is
        the run (201), or what `told` makes of it in the same transaction. Raises QueueFull where a lane that it
        needs is full.
        """
        check_pool(owner, wanted.pool)

        def begin(conn: Connection) -> Begun:
            default, prices = self._settings.default_limit, self._terms.prices
            return start_run(
                *(conn, self._plans, self._places, wanted),
                owner=owner,
                default_limit=default,
                prices=prices,
                entrance=self._entrance,
            )

        return await self._open(begin, key, told)

    async def replay(self, recorded: UUID, wanted: NewReplay, owner: str, key: Key | None = None) -> Answer:
        """Start a run that takes its answers from the recording of another; otherwise as `start`."""
        check_pool(owner, wanted.pool)

        def begin(conn: Connection) -> Begun:
            committer = self.events.committer
            return start_replay(conn, self._plans, self._places, committer, recorded, wanted, owner=owner)

        return await self._open(begin, key, None)

    async def branch(self, parent: UUID, wanted: NewBranch, owner: str, key: Key | None = None) -> Answer:
        """Start a run that shares the story of another one up to a step boundary; otherwise as `start`."""
        check_pool(owner, wanted.pool)

        def begin(conn: Connection) -> Begun:
            default, prices = self._settings.default_limit, self._terms.prices
            return start_branch(
                *(conn, self._plans, self._places, self.events.committer, parent, wanted),
                owner=owner,
                default_limit=default,
                prices=prices,
            )

        return await self._open(begin, key, None)

    async def tell(self, run_id: UUID, wanted: Injected, by: str, key: Key | None = None) -> Answer:
        """Keep something for the run's log, which it enters with the open step. Raises what `inputs.add` does."""

        async def work() -> Answer:
            run = await lock(conn, run_id)
            if run is None:
                raise NotFound(f"there is no run {run_id}")
            plan = await self._plans.of(conn, run_id, run.plan_version)
            return Answer(status=201, body=(await inputs.add(run, plan, wanted, by)).model_dump_json())

        async with self._pool.acquire() as conn, conn.transaction():
            return await once(conn, key, work)

    async def _open(self, begin: Callable[[Connection], Begun], key: Key | None, told: Told | None) -> Answer:
        started: list[tuple[LockedRun, Committed | None]] = []

        async def work() -> Answer:
            run, first = await begin(conn)
            await run.save()
            started.append((run, first))
            if told is not None:
                return await told(conn, run.id)
            return Answer(status=201, body=(await reading.read_run(conn, run.id)).model_dump_json())

        async with self._entrance.connection() as conn, conn.transaction():
            answer = await once(conn, key, work)
        for run, first in started:
            self.began(run, first)
        return answer

    async def start_in(self, conn: Connection, wanted: NewRun, owner: str) -> tuple[LockedRun, Committed | None]:
        """As `start`, inside the caller's transaction, who calls `began` once that has committed."""
        default, prices = self._settings.default_limit, self._terms.prices
        run, first = await start_run(
            *(conn, self._plans, self._places, wanted), owner=owner, default_limit=default, prices=prices
        )
        await run.save()
        return run, first

    def began(self, run: LockedRun, first: Committed | None) -> None:
        """What may only be known of a new run once it is committed."""
        self.events.after_commit(run, first, news=True)
        if first is None:
            self.admission.wake.set()

    def forget(self) -> None:
        """Drop what this process remembers of runs, and of how they share lanes; everything is read again."""
        self._plans.forget()
        self._folds.forget()
        self._places.fairness.forget()

    async def snapshot(self, run_id: UUID, seat: str | None, at: str | None = None) -> Snapshot:
        """The hydrated whole of a run. Raises NotFound for an unknown run or seat, Invalid where `at` is no place."""
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            return await reading.snapshot(conn, self._plans, self._folds, run_id, seat, at)
