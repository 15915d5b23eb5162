"""HTTP clients to model servers: one per protocol, address and key in each event loop, shared by all questions.

None of them retries by itself, since each attempt needs a reservation of its own. None has a limit of time but for
connecting: an answer is bounded by its question's own limit, around the whole call. None follows a redirection: what is
asked, and with which key, is for the named address alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from openai import AsyncOpenAI

CONNECT_TIMEOUT = 10.0

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str, str], Any]] = WeakKeyDictionary()


def openai_client(base_url: str, key: str, *, own: bool) -> AsyncOpenAI:
    """The shared client of a server that speaks OpenAI's protocol; `own`: it is OpenAI's."""
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Omit, Timeout

    def make() -> AsyncOpenAI:
        # Taken from the environment by the client, and nobody else's business.
        others = {} if own else {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        timeout = Timeout(None, connect=CONNECT_TIMEOUT)
        headers: Any = others
        return AsyncOpenAI(
            base_url=base_url,
            api_key=key,
            max_retries=0,
            timeout=timeout,
            default_headers=headers,
            http_client=DefaultAsyncHttpxClient(timeout=timeout, follow_redirects=False),
        )

    made: AsyncOpenAI = _shared(("openai", base_url, key), make)
    return made


def anthropic_client(base_url: str, key: str) -> AsyncAnthropic:
    """The shared client of Anthropic's servers."""
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient, Timeout

    def make() -> AsyncAnthropic:
        timeout = Timeout(None, connect=CONNECT_TIMEOUT)
        http = DefaultAsyncHttpxClient(timeout=timeout, follow_redirects=False)
        return AsyncAnthropic(base_url=base_url, api_key=key, max_retries=0, timeout=timeout, http_client=http)

    made: AsyncAnthropic = _shared(("anthropic", base_url, key), make)
    return made


def _shared(name: tuple[str, str, str], make: Callable[[], Any]) -> Any:
    mine = _clients.setdefault(asyncio.get_running_loop(), {})
    if name not in mine:
        mine[name] = make()
    return mine[name]


async def close_clients() -> None:
    """Close those of the running event loop."""
    for each in _clients.pop(asyncio.get_running_loop(), {}).values():
        await each.close()
