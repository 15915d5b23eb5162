"""Bringing work to an API whose queue may be full: it says when to come again, and that is when we do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from pyscrai.client.errors import QueueFull

PATIENCE = 60.0
"""Seconds that a caller waits for room, where it is not said otherwise."""
T = TypeVar("T")
Told = Callable[[QueueFull, float], None]
"""Called before each wait, with what the API said and for how many seconds."""


async def patiently(ask: Callable[[], Awaitable[T]], patience: float = PATIENCE, told: Told | None = None) -> T:
    """What `ask` gives, asked again while the queue is full. Raises QueueFull where that lasts longer than `patience`.

    A refused request has not been carried out, so asking again is safe.
    """
    end = anyio.current_time() + patience
    while True:
        try:
            return await ask()
        except QueueFull as full:
            pause = max(0.1, full.retry_after or 1.0)
            if anyio.current_time() + pause > end:
                raise
            if told is not None:
                told(full, pause)
            await anyio.sleep(pause)
