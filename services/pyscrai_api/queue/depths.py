"""How much there is in the queue, counted at a bounded cost.

A short queue is counted. Of a long one a few pages are: what is shown then is an estimate, and says so. Either way the
answer is kept, for longer the longer it took, so that whoever asks as often as he likes takes a small share of a core.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyscrai_api.database import Pool
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.states import Live

PAGES = 2000
"""Pages that are read at most: 16 MB, some 60,000 events."""
SHARE = 20
"""So many times as long as counting took, it is not counted again."""
CHEAP = 0.02
"""Seconds; what takes less is counted anew for whoever wants to know it now."""

Kind = tuple[str, str]
"""Lane and event type."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """`events`: by lane and event type, by state. `oldest`: by lane, seconds that the first in line has been ready.

    `at`: when, in monotonic seconds. `estimated`: from a sample.
    """

    events: Mapping[Kind, Mapping[Live, int]]
    oldest: Mapping[str, float]
    at: float
    took: float
    estimated: bool


class Depths:
    """Of one API process. `clock` gives monotonic seconds."""

    def __init__(self, pool: Pool, *, pages: int = PAGES, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._pages = pages
        self._clock = clock
        self._last: Counted | None = None
        self._counting = asyncio.Lock()

    async def look(self, at_most: float = 0.0) -> Counted:
        """What was counted at most so many seconds ago, or `SHARE` times as long as that took."""
        async with self._counting:
            last, now = self._last, self._clock()
            if last is None or now - last.at > max(at_most, SHARE * last.took if last.took > CHEAP else 0.0):
                last = self._last = await self._count(now)
            return last

    def age(self, counted: Counted) -> float:
        """For how many seconds something has been known."""
        return max(0.0, self._clock() - counted.at)

    async def _count(self, now: float) -> Counted:
        async with self._pool.acquire() as conn:
            pages = int(await conn.fetchval(sql("operating", "size")))
            estimated = pages > self._pages
            if estimated:
                share = self._pages / pages
                rows = await conn.fetch(sql("operating", "depths_sampled"), share * 100, 1 / share)
            else:
                rows = await conn.fetch(sql("operating", "depths"))
            oldest = {row["lane"]: row["seconds"] for row in await conn.fetch(sql("operating", "oldest"))}
        events: dict[Kind, dict[Live, int]] = {}
        for row in rows:
            events.setdefault((row["lane"], row["event_type"]), {})[Live(row["state"])] = row["events"]
        return Counted(events=events, oldest=oldest, at=now, took=self._clock() - now, estimated=estimated)
