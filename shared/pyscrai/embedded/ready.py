"""Waiting until a service answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pyscrai.embedded.errors import EmbeddedError

POLL_SECONDS = 0.03


async def wait_ready(
    url: str,
    *,
    timeout: float = 60.0,
    token: str | None = None,
    enough: Callable[[object], bool] | None = None,
) -> None:
    """Return when GET `url` is answered with 200 (and, where `enough` is given, with JSON that it accepts).

    `timeout` in seconds. Raises EmbeddedError, with the last answer, when it has passed.
    """
    import httpx

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    deadline = time.monotonic() + timeout
    last = "no answer"
    # The environment's proxies are not for services of this machine, and without TLS certificates need not be loaded.
    encrypted = url.startswith("https:")
    async with httpx.AsyncClient(trust_env=False, verify=encrypted, headers=headers, timeout=5.0) as client:
        while time.monotonic() < deadline:
            try:
                answer = await client.get(url)
            except httpx.TransportError as error:
                last = str(error) or type(error).__name__
            else:
                if answer.status_code == 200 and (enough is None or enough(answer.json())):
                    return
                last = f"{answer.status_code} {answer.text[:300]}"
            await asyncio.sleep(POLL_SECONDS)
    raise EmbeddedError(f"{url} was not ready after {timeout:.0f} s: {last}")
