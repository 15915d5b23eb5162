"""Several transactions of one request side by side: each waits for the disk, and they may well wait together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
AT_ONCE = 4
"""Transactions of one request; each holds a connection of the pool."""


async def together(jobs: Sequence[Callable[[], Awaitable[T]]]) -> list[T | Exception]:
    """What each job gave, or how it failed, in order; they begin in that order, `AT_ONCE` at a time.

    No job is given up because another one fails. Jobs must not lock the same things in different orders.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def one(job: Callable[[], Awaitable[T]]) -> T | Exception:
        async with room:
            try:
                return await job()
            except Exception as error:
                return error

    if len(jobs) == 1:
        return [await one(jobs[0])]
    return list(await asyncio.gather(*map(one, jobs)))
