"""How full each lane is, as far as producers have to know: they are told to wait where too much waits already.

Nothing is counted per enqueue. A lane is counted at most once per interval, and only where somebody posts to it; in
between its depth is that count and what this process has posted since. While the whole table is so small that no lane
can be half full, its size stands for the count. Near the limit the interval is short, and long where counting takes
long. So one process never goes beyond the limit; of several, each may post as much as was free at its last count:
together they exceed it by at most what the others post in one interval. Consumers shrink the depth at the next count.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil

import structlog

from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import QueueFull, TooLarge
from pyscrai_api.queue.statements import sql

log = structlog.get_logger()

FAR, NEAR = 5.0, 0.25
"""Seconds between two counts: of a lane that is less than half full, and of a fuller one at least."""
COST, SLOWEST = 20.0, 10.0
"""Of a fuller one: so many times as long as counting took, but at most so many seconds."""
FIRST_WAIT, LONGEST_WAIT = 5, 60
"""Retry-After where no drain has been seen yet, and at most."""
LANES = 1000


@dataclass(slots=True)
class Fill:
    """A lane as this process knows it. `counted` at the time `at`, which took `cost` seconds; `drain`: how many events
    per second leave it, None where only one count has been made."""

    counted: int
    at: float
    cost: float
    posted: int = 0
    drain: float | None = None
    on_the_way: int = 0
    """Of those posted, how many are not committed yet, so that a count may not see them."""

    @property
    def depth(self) -> int:
        return self.counted + self.posted


class Bringing:
    """What one request, or several together, bring."""

    def __init__(self, filling: Filling) -> None:
        self._filling = filling
        self.admitted: Counter[str] = Counter()

    async def admit(self, conn: Connection, wanted: Mapping[str, int]) -> None:
        """Events that are about to be enqueued, by lane. Raises QueueFull where a lane has no room for them all;
        TooLarge where they would never fit."""
        await self._filling.admit(conn, wanted)
        self.admitted.update(wanted)

    def admits(self, wanted: Mapping[str, int]) -> bool:
        """The same where nothing has to be counted for it; False where that is so."""
        if not self._filling.admits(wanted):
            return False
        self.admitted.update(wanted)
        return True


class Filling:
    """Of one process. `most`: how much may wait in a lane; None: any number. `refused` is called with a lane each time
    that it has no room."""

    def __init__(self, pool: Pool, most: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self.most = most
        self.refused: Callable[[str], None] | None = None
        self._clock = clock
        self._lanes: OrderedDict[str, Fill] = OrderedDict()
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._one_counts = asyncio.Lock()

    @property
    def lanes(self) -> Mapping[str, Fill]:
        """Those that somebody posted to, as far as they are known here."""
        return self._lanes

    @contextmanager
    def bringing(self) -> Iterator[Bringing]:
        """Events are admitted, enqueued and committed in this block."""
        brought = Bringing(self)
        try:
            yield brought
        finally:
            for lane, count in brought.admitted.items():
                fill = self._lanes.get(lane)
                if fill is not None:
                    fill.on_the_way = max(0, fill.on_the_way - count)

    async def admit(self, conn: Connection, wanted: Mapping[str, int]) -> None:
        """Events that are about to be enqueued, by lane. Raises QueueFull where a lane has no room for them all;
        TooLarge where they would never fit."""
        for lane, count in wanted.items() if self.most is not None else ():
            await self._room(conn, lane, count)
        self._take(wanted)

    def admits(self, wanted: Mapping[str, int]) -> bool:
        """As `admit`, where nothing has to be counted for it; False where that is so."""
        for lane, count in wanted.items() if self.most is not None else ():
            fill = self._lanes.get(lane)
            if fill is None or fill.depth + count > (self.most or 0):
                return False
            if self._stale(fill):
                self._look(lane)
        self._take(wanted)
        return True

    def _take(self, wanted: Mapping[str, int]) -> None:
        for lane, count in wanted.items():
            fill = self._lanes.get(lane)
            if fill is not None:
                fill.posted += count
                fill.on_the_way += count

    async def check(self, conn: Connection, lanes: set[str]) -> None:
        """Whether more work may begin that goes to these lanes. Raises QueueFull where one of them is full."""
        if self.most is not None:
            for lane in sorted(lanes):
                await self._room(conn, lane, 1)

    async def close(self) -> None:
        """Wait for counts that are under way."""
        await asyncio.gather(*self._looking.values(), return_exceptions=True)

    async def _room(self, conn: Connection, lane: str, count: int) -> None:
        assert self.most is not None
        if count > self.most:  # whoever waited and came again would be told the same for ever
            raise TooLarge(f"{count} events at once never fit into a lane that takes {self.most}: send smaller batches")
        fill = self._lanes.get(lane)
        if fill is not None and fill.depth + count <= self.most:
            if self._stale(fill):
                self._look(lane)  # nobody waits for it
        else:
            async with self._one_counts:
                fill = self._lanes.get(lane)
                if fill is None or self._stale(fill):
                    fill = await self._count(conn, lane)
            if fill.depth + count > self.most:
                raise self._full(lane, fill, count)
        self._lanes.move_to_end(lane)

    def _full(self, lane: str, fill: Fill, count: int) -> QueueFull:
        assert self.most is not None
        if self.refused is not None:
            self.refused(lane)
        if fill.drain is None:
            seconds = FIRST_WAIT
        else:
            over = fill.depth + count - self.most
            seconds = ceil(min(LONGEST_WAIT, over / fill.drain)) if fill.drain > 0 else LONGEST_WAIT
        return QueueFull(lane, fill.depth, self.most, max(1, seconds), count)

    def _stale(self, fill: Fill) -> bool:
        return self._clock() - fill.at >= self._interval(fill)

    def _interval(self, fill: Fill) -> float:
        assert self.most is not None
        if fill.depth * 2 < self.most:
            return FAR
        return min(SLOWEST, max(NEAR, COST * fill.cost))

    def _look(self, lane: str) -> None:
        """Count a lane beside what goes on, unless somebody is at it."""
        if lane not in self._looking:
            self._looking[lane] = asyncio.create_task(self._count_again(lane), name=f"filling:{lane}")

    async def _count_again(self, lane: str) -> None:
        try:
            # The connection first: who counts and holds the lock never waits for one.
            async with self._pool.acquire() as conn, self._one_counts:
                await self._count(conn, lane)
        except Exception as error:  # the next one that posts looks again
            log.warning("lane_not_counted", lane=lane, error=str(error) or type(error).__name__)
        finally:
            del self._looking[lane]

    async def _count(self, conn: Connection, lane: str) -> Fill:
        before = self._lanes.get(lane)
        posted, under_way = (0, 0) if before is None else (before.posted, before.on_the_way)
        began = self._clock()
        counted: int = await conn.fetchval(sql("enqueue", "depth"), lane, self.most)
        now = self._clock()
        fill = Fill(counted, now, now - began)
        if before is not None:
            # What was under way, or has come meanwhile, may be among those that were counted, and is not forgotten.
            fill.on_the_way = before.on_the_way
            fill.posted = before.posted - posted + under_way
            fill.drain = (before.counted + posted - counted) / max(0.001, now - before.at)
        self._lanes[lane] = fill
        if len(self._lanes) > LANES:
            self._lanes.popitem(last=False)
        return fill
