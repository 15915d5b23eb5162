"""What nobody needs any more is forgotten in small batches that never lock out a finish.

Outcomes are gone through in the order of their ends. Those that were paid for stay, so each pass begins where the last
one ended: else it would walk over them for ever. Once a day it begins anew, for what was left because it was locked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pyscrai_api.database import Pool
from pyscrai_api.idempotency import prune
from pyscrai_api.money import cache
from pyscrai_api.queue.statements import sql

DAY = 86_400.0
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class Retention:
    """`days`: how long events without a run, and engines that are gone, are kept after their end; `cache_days`: how
    long answers are that runs have cached. `clock` gives monotonic seconds."""

    pool: Pool
    days: float
    cache_days: float = 30.0
    name: str = "retention"
    every: float = 60.0
    batch: int = 500  # as in the statement
    clock: Callable[[], float] = time.monotonic
    _after: datetime = BEGINNING
    _began: float = 0.0

    async def run_once(self) -> int:
        """Returns the most that was looked at of one kind."""
        async with self.pool.acquire() as conn:
            row = await conn.fetchrow(sql("loops", "forget"), self.days * DAY, self._from())
            self._after, looked = row["last"] or self._after, int(row["looked"])
            engines = len(await conn.fetch(sql("loops", "forget_engines"), self.days * DAY, self.batch))
            answers = await cache.prune(conn, self.cache_days * DAY, self.batch)
            return max(looked, engines, answers, await prune(conn, self.batch))

    def _from(self) -> datetime:
        now = self.clock()
        if not self._began or now - self._began > DAY:
            self._began, self._after = now, BEGINNING
        return self._after
