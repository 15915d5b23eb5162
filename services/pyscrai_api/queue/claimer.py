"""Claiming: one claimer per lane and set of event types, with one statement for all polls that are parked there.

A poll is answered as soon as there is something for it, or at its deadline. Whoever repeats a claim that is still
parked joins it; a poll that everybody has left gets nothing, and what was claimed for it meanwhile goes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from pyscrai_api.database import Pool
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.store import Place

log = structlog.get_logger()

LOOK_AGAIN = 1.0
"""Seconds after which a claimer looks by itself, and looks below its mark."""
SIZES = (*range(1, 17), 20, 24, 25, 30, 32, 40, 48, 50, 60, 64, 80, 96, 100, 128, 150, 200, 256, 300, 400, 500)
"""One prepared text per size; what does not fit into a size is served by the next statement, before the answer."""
BOTTOM = Place(-1, 0, 0)
MANY_LANES = 64

Key = tuple[str, frozenset[str] | None]
GiveBack = Callable[[UUID, UUID, list[int]], Awaitable[None]]
"""Called with engine, claim and the events of a claim that nobody waits for any more."""
Orphaned = Callable[["Poll"], None]


@dataclass(eq=False, slots=True)
class Poll:
    """A claim request that waits. `deadline` is in the loop's time; `delivered`: somebody has got its answer."""

    engine_id: UUID
    claim_id: UUID
    most: int
    lease_seconds: float
    deadline: float
    answer: asyncio.Future[list[int]]
    waiters: int = 1
    delivered: bool = False
    ids: list[int] = field(default_factory=list)

    @property
    def missing(self) -> int:
        return self.most - len(self.ids)


class Claimer:
    """Of one lane and set of event types (None: all). Its task lives while polls are parked."""

    def __init__(self, pool: Pool, key: Key, orphaned: Orphaned) -> None:
        self._pool = pool
        self.lane, types = key
        self._types = None if types is None else sorted(types)
        self._orphaned = orphaned
        self._polls: list[Poll] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._mark: Place | None = None
        self._rung: Place | None = None
        self._looked_below = 0.0

    @property
    def idle(self) -> bool:
        return not self._polls and (self._task is None or self._task.done())

    def park(self, poll: Poll) -> None:
        """Add a poll; it is tried at once."""
        self._polls.append(poll)
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._run(), name=f"claimer:{self.lane}")

    def ring(self, place: Place | None) -> None:
        """Something became ready. A place below the mark lowers it."""
        if place is not None:
            self._rung = place if self._rung is None else min(self._rung, place)
            self._lower()
        self._wake.set()

    def release(self) -> None:
        """Answer every parked poll with nothing: the service stops."""
        for poll in self._polls:
            poll.deadline = 0.0
        self._wake.set()

    async def _run(self) -> None:
        try:
            await self._serve()
        except Exception as error:
            log.exception("claimer_broken", lane=self.lane)
            self._fail(self._polls, error)
            self._polls = []

    async def _serve(self) -> None:
        while self._polls:
            self._wake.clear()
            drained = await self._attempt()
            self._end_polls(drained)
            if not self._polls or not drained:
                continue
            first = min(poll.deadline for poll in self._polls)
            pause = min(LOOK_AGAIN, max(0.0, first - self._loop.time()))
            handle = self._loop.call_later(pause, self._wake.set)
            await self._wake.wait()
            handle.cancel()

    async def _attempt(self) -> bool:
        """One statement for as many parked polls as fit. Returns whether nothing more is ready."""
        slots = slots_for([poll for poll in self._polls if poll.waiters])
        if not slots:
            return True
        now = self._loop.time()
        if self._mark is None or now - self._looked_below >= LOOK_AGAIN:
            self._mark, self._looked_below = None, now
        above, self._rung = self._mark or BOTTOM, None
        try:
            rows = await self._claim(slots, above)
        except Exception as error:
            log.warning("claim_failed", lane=self.lane, error=str(error) or type(error).__name__)
            self._fail(slots, error)
            return True
        for row in rows:
            slots[row["k"] - 1].ids.append(row["id"])
        if len(rows) < len(slots):
            self._mark = None
            return above is BOTTOM  # from the bottom everything was seen; from a mark, look below it now
        self._mark = max(Place(row["rank"], row["pass"], row["id"]) for row in rows)
        self._lower()
        return False

    async def _claim(self, slots: list[Poll], above: Place) -> list[Any]:
        name = "claim" if self._types is None else "claim_types"
        arguments = (
            self.lane, [p.engine_id for p in slots], [p.claim_id for p in slots], [p.lease_seconds for p in slots],
            *above, *([] if self._types is None else [self._types]),
        )  # fmt: skip
        rows: list[Any] = await self._pool.fetch(claim_text(name, len(slots)), *arguments)
        return rows

    def _lower(self) -> None:
        if self._mark is not None and self._rung is not None and self._rung <= self._mark:
            self._mark = self._rung._replace(id=self._rung.id - 1)

    def _end_polls(self, drained: bool) -> None:
        """Answer the polls that are full; and where no more is ready, those with something or out of time."""
        now, parked = self._loop.time(), []
        for poll in self._polls:
            if not poll.waiters:
                self._orphaned(poll)
                poll.answer.cancel()
            elif not poll.missing or (drained and (poll.ids or poll.deadline <= now)):
                if not poll.answer.done():
                    poll.answer.set_result(poll.ids)
            elif not poll.answer.done():
                parked.append(poll)
        self._polls = parked

    def _fail(self, slots: Iterable[Poll], error: Exception) -> None:
        for poll in set(slots):
            if poll.answer.done():
                continue
            if poll.ids:
                poll.answer.set_result(poll.ids)
            else:
                poll.answer.set_exception(error)
                poll.answer.exception()  # seen, also where the last waiter has gone


def slots_for(polls: list[Poll]) -> list[Poll]:
    """Who gets row 1, 2, 3 …: the polls in turn, oldest first, cut to one of the sizes."""
    wanted = min(sum(poll.missing for poll in polls), SIZES[-1])
    slots: list[Poll] = []
    turn = 0
    while len(slots) < wanted:
        slots += [poll for poll in polls if poll.missing > turn]
        turn += 1
    size = max((size for size in SIZES if size <= wanted), default=0)
    return slots[:size]


def claim_text(name: str, size: int) -> str:
    """The claim for so many slots. The size is a number from SIZES, never a caller's text."""
    return sql("claim", name).replace(":size", str(int(size)))


class Claimers:
    """The claimers of this process."""

    def __init__(self, pool: Pool, give_back: GiveBack) -> None:
        self._pool = pool
        self._give_back = give_back
        self._claimers: dict[Key, Claimer] = {}
        self._polls: dict[tuple[UUID, UUID], Poll] = {}
        self._going_back: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def parked(self) -> int:
        """How many polls wait, or are being answered."""
        return len(self._polls)

    @property
    def waiting(self) -> int:
        """How many requests do; one that repeats a parked claim joins it."""
        return sum(poll.waiters for poll in self._polls.values())

    def ring(self, lane: str, place: Place | None) -> None:
        """Wake the claimers of a lane (a listener of the bell)."""
        for claimer in self._claimers.values():
            if claimer.lane == lane:
                claimer.ring(place)

    def stop(self) -> None:
        """Answer every poll now, and from now on at once."""
        self._stopped = True
        for claimer in self._claimers.values():
            claimer.release()

    async def close(self) -> None:
        """Wait for what is on its way back. Call after `stop`, when no request is served any more."""
        while self._going_back:
            await asyncio.gather(*self._going_back)

    @asynccontextmanager
    async def claim(
        self, key: Key, *, engine_id: UUID, claim_id: UUID, most: int, lease_seconds: float, wait: float,
        gone: asyncio.Future[None],
    ) -> AsyncIterator[Poll]:  # fmt: skip
        """A poll whose `ids` are up to `most` events leased under the claim; none after `wait` seconds or when `gone`
        is done. Set `delivered` when the answer is being written: what nobody got goes back at the end of the block.
        """
        poll = self._polls.get((engine_id, claim_id))
        if poll is None:
            poll = self._park(key, engine_id, claim_id, most, lease_seconds, 0.0 if self._stopped else wait)
        else:
            poll.waiters += 1
        try:
            await asyncio.wait((poll.answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if poll.answer.done():
                poll.answer.result()  # raises what went wrong
            yield poll
        finally:
            poll.waiters -= 1
            if not poll.waiters:
                del self._polls[engine_id, claim_id]
                if poll.answer.done():
                    self._orphaned(poll)
                # Else the claimer still has it, and drops it, or gives back what it is just claiming for it.

    def _park(self, key: Key, engine_id: UUID, claim_id: UUID, most: int, lease_seconds: float, wait: float) -> Poll:
        self._drop_idle()
        claimer = self._claimers.get(key)
        if claimer is None:
            claimer = self._claimers[key] = Claimer(self._pool, key, self._orphaned)
        loop = asyncio.get_running_loop()
        poll = Poll(engine_id, claim_id, most, lease_seconds, loop.time() + wait, loop.create_future())
        self._polls[engine_id, claim_id] = poll
        claimer.park(poll)
        return poll

    def _orphaned(self, poll: Poll) -> None:
        if poll.ids and not poll.delivered:
            task = asyncio.get_running_loop().create_task(self._back(poll))
            self._going_back.add(task)
            task.add_done_callback(self._going_back.discard)

    async def _back(self, poll: Poll) -> None:
        try:
            await self._give_back(poll.engine_id, poll.claim_id, poll.ids)
        except Exception:  # the leases go back by heartbeat or sweep then
            log.exception("claim_not_given_back", engine=str(poll.engine_id), events=poll.ids)

    def _drop_idle(self) -> None:
        """Lanes come and go (private pools); what nobody polls is forgotten."""
        if len(self._claimers) > MANY_LANES:
            self._claimers = {key: claimer for key, claimer in self._claimers.items() if not claimer.idle}
