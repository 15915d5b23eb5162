"""Lines: a few connections for statements that stand alone and come by the thousand.

The pool makes a task for each connection that comes back, which costs more processor time than all else that a small
statement takes here (measured: 42 of 64 µs). A line is taken and put back by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg

MOST = 4
"""Statements at once; more wait. What is asked here combines many requests in one statement."""

CLOSE_SECONDS = 5.0

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class Lines:
    """Of one API process. Each statement commits by itself; lines are opened when they are needed first."""

    def __init__(self, connect: Connect, most: int = MOST) -> None:
        self._connect = connect
        self._room = asyncio.Semaphore(most)
        self._free: list[asyncpg.Connection] = []
        self._closed = False

    async def open(self) -> None:
        """Have one before it is needed. Raises as `fetch`."""
        self._put_back(await self._connect())

    async def fetch(self, text: str, *arguments: Any) -> list[asyncpg.Record]:
        """The rows of one statement. Raises what the driver does, and Unavailable where no line can be had."""
        async with self._room:
            line = self._free.pop() if self._free else None
            if line is None or line.is_closed():
                line = await self._connect()
            try:
                rows: list[asyncpg.Record] = await line.fetch(text, *arguments)
            except asyncpg.PostgresError:
                self._put_back(line)  # the server has said no, and waits for the next
                raise
            except BaseException:
                line.terminate()  # nobody knows what it is at
                raise
            self._put_back(line)
            return rows

    def _put_back(self, line: asyncpg.Connection) -> None:
        if self._closed:
            line.terminate()
        elif not line.is_closed():
            self._free.append(line)

    async def close(self) -> None:
        """Close the lines that are free, and each other one when it comes back."""
        self._closed = True
        while self._free:
            with suppress(TimeoutError):  # it has been cut then
                await self._free.pop().close(timeout=CLOSE_SECONDS)
