"""What nobody needs any more is forgotten in small batches that never lock out a finish."""

from __future__ import annotations

from dataclasses import dataclass

from pyscrai_api.database import Pool
from pyscrai_api.idempotency import prune
from pyscrai_api.money import cache
from pyscrai_api.queue.statements import sql

DAY = 86_400.0


@dataclass(kw_only=True)
class Retention:
    """`days`: how long events without a run, and engines that are gone, are kept after their end; `cache_days`: how
    long answers are that runs have cached."""

    pool: Pool
    days: float
    cache_days: float = 30.0
    name: str = "retention"
    every: float = 60.0
    batch: int = 200  # as in the statement

    async def run_once(self) -> int:
        async with self.pool.acquire() as conn:
            events = len(await conn.fetch(sql("loops", "forget"), self.days * DAY))
            engines = len(await conn.fetch(sql("loops", "forget_engines"), self.days * DAY, self.batch))
            answers = await cache.prune(conn, self.cache_days * DAY, self.batch)
            return max(events, engines, answers, await prune(conn, self.batch))
