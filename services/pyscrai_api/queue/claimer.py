"""Claiming: one claimer per lane and set of event types, with one statement for all polls that are parked there.

A poll is answered as soon as there is something for it, or at its deadline. What an attempt costs follows from what it
may find, not from how many polls are parked: it asks for a few rows, and for twice as many while it gets them all.
"""

from __future__ import annotations

import asyncio
import heapq
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count, islice
from typing import Any, Literal, Protocol
from uuid import UUID

import structlog

from pyscrai_api.queue.ports import ClaimedRow, Exclusions
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.store import Place

log = structlog.get_logger()

LOOK_AGAIN = 1.0
"""Seconds after which a claimer looks by itself, and looks below its mark."""
SIZES = (
    *range(1, 17), 20, 24, 25, 30, 32, 40, 48, 50, 60, 64, 70, 80, 90, 96, 100, 120, 128, 150, 160, 200, 240, 256, 300,
    320, 400, 500,
)  # fmt: skip
"""One prepared text per size; what does not fit into a size is served by the next statement, before the answer."""
FEW = 16
"""Rows that an attempt asks for, where the last one did not get all that it asked for and no poll wants more."""
BOTTOM = Place(-1, 0, 0)
MOST_POLLS = 256
"""Polls in one statement."""
MANY = 64
"""Polls that were answered and are still kept for their deadline."""

Key = tuple[str, frozenset[str] | None]
Orphaned = Callable[["Poll"], None]


@dataclass(eq=False, slots=True)
class Poll:
    """A claim request that waits. `deadline` is in the loop's time; `delivered`: somebody has got its answer.

    `began`: when, in the loop's time, the first of its rows was asked for; its leases began later.
    """

    engine_id: UUID
    claim_id: UUID
    most: int
    lease_seconds: float
    deadline: float
    answer: asyncio.Future[list[ClaimedRow]]
    waiters: int = 1
    delivered: bool = False
    began: float = 0.0
    rows: list[ClaimedRow] = field(default_factory=list)

    @property
    def missing(self) -> int:
        return self.most - len(self.rows)

    @property
    def ids(self) -> list[int]:
        return [row.id for row in self.rows]

    def reply(self) -> None:
        """Answer with what there is."""
        if not self.answer.done():
            self.answer.set_result(self.rows)


class Fetching(Protocol):
    """Where a statement that stands alone is sent: a pool, or lines."""

    async def fetch(self, text: str, /, *arguments: Any) -> Any: ...


class Claimer:
    """Of one lane and set of event types (None: all). Its task lives while polls are parked."""

    def __init__(self, lines: Fetching, key: Key, orphaned: Orphaned, pauses: Exclusions | None = None) -> None:
        self._lines = lines
        self.lane, types = key
        self._types = None if types is None else sorted(types)
        self._orphaned = orphaned
        self._pauses = pauses
        self._polls: dict[Poll, Literal[True]] = {}
        """Parked, in the order in which they came."""
        self._partial: set[Poll] = set()
        """Of those, the ones that have something already."""
        self._asking: list[Poll] = []
        """Who gets something from the statement that runs."""
        self._deadlines: list[tuple[float, int, Poll]] = []
        self._numbers = count()
        self._expected = FEW
        self._wake = asyncio.Event()
        self._due = False
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._mark: Place | None = None
        self._rung: Place | None = None
        self._looked = self._looked_below = 0.0

    @property
    def idle(self) -> bool:
        return not self._polls and (self._task is None or self._task.done())

    def park(self, poll: Poll) -> None:
        """Add a poll; it is tried at once."""
        self._polls[poll] = True
        heapq.heappush(self._deadlines, (poll.deadline, next(self._numbers), poll))
        if len(self._deadlines) > 2 * len(self._polls) + MANY:  # most are answered long before
            self._deadlines = [entry for entry in self._deadlines if entry[2] in self._polls]
            heapq.heapify(self._deadlines)
        self._look()
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._run(), name=f"claimer:{self.lane}")

    def ring(self, place: Place | None) -> None:
        """Something became ready. A place below the mark lowers it."""
        if place is not None:
            self._rung = place if self._rung is None else min(self._rung, place)
            self._lower()
        self._look()

    def leave(self, poll: Poll) -> None:
        """Nobody waits for a poll any more. What is just being claimed for it goes back when it comes."""
        if poll in self._polls and poll not in self._asking:
            self._drop(poll)
            self._wake.set()

    def let_go(self, poll: Poll) -> None:
        """Answer a poll with what it has, at once or when the statement that runs is over."""
        poll.most = len(poll.rows)
        if poll in self._polls and poll not in self._asking:
            self._reply(poll)

    def release(self) -> None:
        """Answer every parked poll with what it has: the service stops."""
        for poll in tuple(self._polls):
            self.let_go(poll)
        self._wake.set()

    def _look(self) -> None:
        self._due = True
        self._wake.set()

    def _drop(self, poll: Poll) -> None:
        self._polls.pop(poll, None)
        self._partial.discard(poll)
        self._orphaned(poll)
        poll.answer.cancel()

    def _reply(self, poll: Poll) -> None:
        self._polls.pop(poll, None)
        self._partial.discard(poll)
        poll.reply()

    async def _run(self) -> None:
        try:
            await self._serve()
        except Exception as error:
            log.exception("claimer_broken", lane=self.lane)
            self._asking = []
            self._fail(tuple(self._polls), error)

    async def _serve(self) -> None:
        while self._polls:
            self._wake.clear()
            now = self._loop.time()
            drained = True
            if self._due or now - self._looked >= LOOK_AGAIN:
                self._due, self._looked = False, now
                drained = await self._attempt()
                if not drained:
                    self._due = True
                    continue
            self._expire()
            if not self._polls or self._due:
                continue
            first = self._deadlines[0][0]
            pause = max(0.0, min(self._looked + LOOK_AGAIN, first) - self._loop.time())
            handle = self._loop.call_later(pause, self._wake.set)
            await self._wake.wait()
            handle.cancel()

    async def _attempt(self) -> bool:
        """One statement for as many rows as may be there, and as polls have room for. Returns whether nothing more is
        ready."""
        excluded: Sequence[str] | None = ()
        if self._pauses is not None:
            try:
                await self._pauses.fresh()
            except Exception as error:
                return self._failed(tuple(self._polls), error)
            excluded = self._pauses.excluded(self.lane)
        polls, seats = ([], b"") if excluded is None else seating(self._polls, self._most())
        if not polls:
            return True
        now = self._loop.time()
        if self._mark is None or now - self._looked_below >= LOOK_AGAIN:
            self._mark, self._looked_below = None, now
        above, self._rung = self._mark or BOTTOM, None
        self._asking = polls
        try:
            rows = await self._claim(polls, seats, above, excluded or None)
        except Exception as error:
            return self._failed(polls, error)
        self._asking = []
        for row in rows:
            poll = polls[row.slot - 1]
            poll.began = poll.began or now
            poll.rows.append(row)
        drained = self._note(rows, len(seats), above)
        self._hand_out(polls)
        return drained

    def _most(self) -> int:
        """How many rows to ask for: at least what the first poll has room for."""
        return max(self._expected, next((poll.missing for poll in self._polls), 0))

    async def _claim(
        self, polls: list[Poll], seats: bytes, above: Place, excluded: Sequence[str] | None
    ) -> list[ClaimedRow]:
        rows = await self._lines.fetch(
            claim_text(len(seats)),
            self.lane, [p.engine_id for p in polls], [p.claim_id for p in polls], [p.lease_seconds for p in polls],
            *above, self._types, excluded, seats,
        )  # fmt: skip
        return [ClaimedRow._make(row) for row in rows]

    def _note(self, rows: list[ClaimedRow], asked: int, above: Place) -> bool:
        """Where the next attempt begins, and how much it asks for. Returns whether nothing more is ready."""
        if len(rows) < asked:
            self._mark, self._expected = None, FEW
            return above is BOTTOM  # from the bottom everything was seen; from a mark, look below it now
        self._expected = min(2 * max(asked, self._expected), SIZES[-1])
        last = rows[-1]
        self._mark = Place(last.rank, last.pass_, last.id)
        self._lower()
        return False

    def _lower(self) -> None:
        if self._mark is not None and self._rung is not None and self._rung <= self._mark:
            self._mark = self._rung._replace(id=self._rung.id - 1)

    def _hand_out(self, polls: list[Poll]) -> None:
        """Answer the polls that are full, and those that were let go; drop those that everybody has left."""
        for poll in polls:
            if not poll.waiters:
                self._drop(poll)
            elif poll.missing <= 0:
                self._reply(poll)
            elif poll.rows:
                self._partial.add(poll)

    def _expire(self) -> None:
        """Where no more is ready: answer the polls that have something, and those that are out of time."""
        for poll in tuple(self._partial):
            self._reply(poll)
        now = self._loop.time()
        while self._deadlines and (self._deadlines[0][0] <= now or self._deadlines[0][2] not in self._polls):
            poll = heapq.heappop(self._deadlines)[2]
            if poll in self._polls:
                self._reply(poll)

    def _failed(self, polls: Iterable[Poll], error: Exception) -> bool:
        """The database did not answer these polls. Nothing more can be had now."""
        log.warning("claim_failed", lane=self.lane, error=str(error) or type(error).__name__)
        self._asking = []
        self._fail(polls, error)
        return True

    def _fail(self, polls: Iterable[Poll], error: Exception) -> None:
        for poll in polls:
            self._polls.pop(poll, None)
            self._partial.discard(poll)
            if not poll.waiters:
                self._drop(poll)
            elif poll.rows:
                poll.reply()
            elif not poll.answer.done():
                poll.answer.set_exception(error)
                poll.answer.exception()  # seen, also where the last waiter has gone


def seating(polls: Iterable[Poll], most: int) -> tuple[list[Poll], bytes]:
    """Who gets row 1, 2, 3 …: the polls in turn, oldest first, up to `most` rows, cut to one of the sizes.

    As the polls that get something, and for each row the number of its poll among them: in a statement, arrays are
    written element by element, and bytes as they are.
    """
    chosen = list(islice((poll for poll in polls if poll.waiters and poll.missing > 0), min(most, MOST_POLLS)))
    room = [poll.missing for poll in chosen]
    turn, in_turn = 0, list(range(len(chosen)))
    seats: list[int] = []
    while in_turn and len(seats) < most:
        seats += in_turn
        turn += 1
        in_turn = [number for number in in_turn if room[number] > turn]
    if not seats:
        return [], b""
    size = SIZES[bisect_right(SIZES, min(len(seats), most)) - 1]
    return chosen[:size], bytes(seats[:size])


def claim_text(size: int) -> str:
    """The claim for so many slots. The size is a number from SIZES, never a caller's text."""
    return _sized(sql("claim", "claim"), size)


@lru_cache(maxsize=4 * len(SIZES))
def _sized(text: str, size: int) -> str:
    return text.replace(":size", str(int(size)))
