"""Asking an API again while it is away: only for what may be repeated."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from pyscrai.client.errors import ApiUnreachable, ClientError, Unavailable

T = TypeVar("T")
PAUSE_SECONDS = 0.4


def _silent(error: ClientError) -> None:
    """For those who only want to know how it ends."""


async def patiently(
    call: Callable[[], Awaitable[T]], patience: float = 60.0, trouble: Callable[[ClientError], None] = _silent
) -> T:
    """What `call` gives; while the API does not answer it is called again, for `patience` seconds. `trouble` hears of
    the first failure. Raises what `call` raises."""
    since: float | None = None
    while True:
        try:
            return await call()
        except (ApiUnreachable, Unavailable) as error:
            now = time.monotonic()
            if since is None:
                since = now
                trouble(error)
            elif now - since > patience:
                raise
            await anyio.sleep(PAUSE_SECONDS)
