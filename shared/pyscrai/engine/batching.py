"""Many small requests as few larger ones: while one is in flight, the next gathers.

An HTTP request costs the client about half a millisecond of CPU, more than the queue needs for the event in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from pyscrai.engine.backoff import Backoff

T = TypeVar("T")


class Batcher(Generic[T]):
    """Sends what was added, in order, at most `most` at once.

    `send` takes a batch, tells each item what became of it, and answers what shall be sent again after a pause.
    What it raises goes, with the batch, to `failed`: no item may be left waiting. `expecting` says whether more may
    be added within a moment; only then `tick` seconds are waited.
    """

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[list[T]]],
        *,
        failed: Callable[[list[T], Exception], None],
        expecting: Callable[[], bool],
        tick: float = 0.002,
        most: int = 100,
    ) -> None:
        self._send = send
        self._failed = failed
        self._expecting = expecting
        self._tick = tick
        self._most = most
        self._waiting: list[T] = []
        self._task: asyncio.Task[None] | None = None
        self._backoff = Backoff(0.1, 1.0)

    def add(self, item: T) -> None:
        """Put it into the next batch."""
        self._waiting.append(item)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def idle(self) -> None:
        """Until everything that was added has been dealt with."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    def stop(self) -> None:
        """Send nothing more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        await self._gather()
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                again = await self._send(batch)
            except Exception as error:
                self._failed(batch, error)
                continue
            if again:
                self._waiting[:0] = again
                await asyncio.sleep(self._backoff.next())
            else:
                self._backoff.reset()

    async def _gather(self) -> None:
        for _ in range(4):
            if len(self._waiting) >= self._most or not self._expecting():
                return
            await asyncio.sleep(self._tick / 4)
