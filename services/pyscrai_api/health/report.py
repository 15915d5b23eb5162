"""The health report, kept for a while: whoever asks often costs no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from pyscrai.contract.operating import HealthReport, LaneState, QueueState
from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.database import Pool
from pyscrai_api.health.facts import Facts, read
from pyscrai_api.health.judging import of_database, of_queue
from pyscrai_api.metrics import Metrics
from pyscrai_api.queue.filling import Fill
from pyscrai_api.queue.service import Queue

SHARE = 20
"""So many times as long as looking took, nobody looks again."""

PATIENCE = 3.0
"""Seconds that counting the queue may take: somebody may have locked it."""


class Health:
    """Of one API process. `clock`: monotonic seconds."""

    def __init__(
        self, pool: Pool, queue: Queue, metrics: Metrics, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._last: tuple[float, float, HealthReport, Facts] | None = None
        self._looking = asyncio.Lock()

    async def report(self, at_most: float = 1.0) -> tuple[HealthReport, Facts]:
        """What was seen at most so many seconds ago, with the facts behind it."""
        async with self._looking:
            now = self._clock()
            if self._last is None or now - self._last[0] > max(at_most, SHARE * self._last[1]):
                report, facts = await self._look()
                self._last = now, self._clock() - now, report, facts
            return self._last[2:]

    async def _look(self) -> tuple[HealthReport, Facts]:
        facts = await read(self._pool)
        hidden = list(facts.hidden)
        try:
            async with asyncio.timeout(PATIENCE):
                state = await self._queue.state(LOCAL_OWNER)
        except TimeoutError:
            state = QueueState(lanes=[], pauses=[], seconds_old=0)
            hidden.append("lanes: the queue could not be counted in time; look at the lock waits")
        filling, tally, now = self._queue.entrance.filling, self._queue.tally, time.monotonic()
        counted = None if hidden != facts.hidden else state.lanes
        queue = of_queue(
            state.lanes,
            state.pauses,
            facts,
            claims=tally.claims,
            losses=tally.losses,
            loops={name: (now - at, every) for name, (at, every) in self._metrics.loops.items()},
            filled=filled(counted, filling.lanes, filling.most),
        )
        return HealthReport(lines=[*queue, *of_database(facts)], hidden=hidden), facts


def filled(lanes: Sequence[LaneState] | None, known: Mapping[str, Fill], most: int | None) -> dict[str, float]:
    """By lane, which share of `most` waits there. `known`: what this process saw when it was last posted to, which may
    be long ago, so it says no more than how much of what is held is held for a pause. `lanes` None: nobody counted."""
    if not most:
        return {}
    if lanes is None:
        return {lane: fill.depth / most for lane, fill in known.items()}
    shares = {}
    for one in lanes:
        least = one.depth.ready + one.depth.scheduled
        seen = known[one.lane].depth if one.lane in known else least
        shares[one.lane] = max(least, min(seen, least + one.depth.held)) / most
    return shares
