"""A run's log from a number on: what is written already, then what comes, and what is spent meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pyscrai.contract.costs import CostNow
from pyscrai.contract.runs import TERMINAL, Delivered
from pyscrai_api.database import Pool
from pyscrai_api.runs.entries import read_log
from pyscrai_api.stream.costs import CostAt
from pyscrai_api.stream.hub import PAGE, Follower

KEEP_ALIVE_SECONDS = 10.0
LAST = frozenset({"run_complete", "run_failed", "run_cancelled"})
"""After one of these nothing follows, and the stream ends."""
_END = "SELECT last_seq FROM runs WHERE id = $1 AND status = ANY($2::text[])"


async def entries(
    follower: Follower, pool: Pool, stopping: asyncio.Event, after: int
) -> AsyncIterator[Delivered | CostNow | None]:
    """Every entry after a number, each once and in order, to the run's last; None where nothing came for a while.
    Between them, while calls are paid for, what the run has cost.

    Ends early when the service stops. The follower has to follow before this begins.
    """
    async for entry in _past(follower, pool, after):
        after = entry.seq
        yield entry
        if entry.kind in LAST:
            return
    if await _over(follower, pool, after):
        return
    while not stopping.is_set():
        try:
            news = await asyncio.wait_for(follower.queue.get(), KEEP_ALIVE_SECONDS)
        except TimeoutError:
            yield None
            continue
        if isinstance(news, CostAt):
            if news.seq >= after:
                yield news.now
        elif news.seq > after:
            after = news.seq
            yield news
            if news.kind in LAST:
                return


async def _over(follower: Follower, pool: Pool, after: int) -> bool:
    """Whether the run is over and all of it was read before: its last entry will not come again."""
    end = await pool.fetchval(_END, follower.run_id, list(TERMINAL))
    return end is not None and end <= after


async def _past(follower: Follower, pool: Pool, after: int) -> AsyncIterator[Delivered]:
    while True:
        async with pool.acquire() as conn:
            page = await read_log(conn, follower.run_id, after, PAGE)
        for entry in page:
            after = entry.seq
            yield entry
        if len(page) < PAGE:
            return
