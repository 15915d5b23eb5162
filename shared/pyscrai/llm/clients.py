"""HTTP clients to model servers: one per address and key and event loop, shared by all questions of a process."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from openai import AsyncOpenAI, Timeout

CONNECT_TIMEOUT = 10.0

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Any]] = WeakKeyDictionary()


def client(base_url: str, key: str) -> AsyncOpenAI:
    """The shared client. It never retries by itself: each attempt needs a reservation of its own."""
    mine = _clients.setdefault(asyncio.get_running_loop(), {})
    if (base_url, key) not in mine:
        # Answers are bounded by the question's own timeout, around the whole call.
        timeout = Timeout(None, connect=CONNECT_TIMEOUT)
        mine[base_url, key] = AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=timeout)
    made: AsyncOpenAI = mine[base_url, key]
    return made


async def close_clients() -> None:
    """Close those of the running event loop."""
    for each in _clients.pop(asyncio.get_running_loop(), {}).values():
        await each.close()
