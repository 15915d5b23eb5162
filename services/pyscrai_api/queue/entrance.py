"""Where work comes in: when a lane is full, and how many connections those who bring it may hold.

A flood of producers must not keep consumers waiting: claims and finishes find the rest of the pool free.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager

from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import Unavailable
from pyscrai_api.queue.filling import Bringing, Filling

SHARE = 3
"""Producers hold one connection in so many."""
MOST_WAITING = 1000
"""Requests that wait for one of those connections in this process; who comes then is sent away."""


class Entrance:
    """Of one process. `filling`: how full its lanes are; `refused` is called with each lane that had no room."""

    def __init__(self, pool: Pool, most_queued: int | None) -> None:
        self._pool = pool
        self._connections = asyncio.Semaphore(max(1, pool.get_max_size() // SHARE))
        self._waiting = 0
        self.filling = Filling(pool, most_queued)

    def bringing(self) -> AbstractContextManager[Bringing]:
        """Events are admitted, enqueued and committed in this block."""
        return self.filling.bringing()

    async def check(self, conn: Connection, lanes: set[str]) -> None:
        """Whether a run may begin whose events go to these lanes. Raises QueueFull."""
        await self.filling.check(conn, lanes)

    @property
    def refused(self) -> Callable[[str], None] | None:
        return self.filling.refused

    @refused.setter
    def refused(self, callback: Callable[[str], None] | None) -> None:
        self.filling.refused = callback

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One of the producers' connections. Raises Unavailable where very many wait for one already."""
        if self._waiting >= MOST_WAITING:
            raise Unavailable("very many requests wait here to bring work; try again")
        self._waiting += 1
        try:
            await self._connections.acquire()
        finally:
            self._waiting -= 1
        try:
            async with self._pool.acquire() as conn:
                yield conn
        finally:
            self._connections.release()
