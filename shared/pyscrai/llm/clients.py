"""HTTP clients to model servers: one per protocol, address and key in each event loop, shared by all questions.

None of them retries by itself, since each attempt needs a reservation of its own. None has a limit of time but for
connecting: an answer is bounded by its question's own limit, around the whole call. None follows a redirection: what is
asked, and with which key, is for the named address alone. For the same reason none takes a proxy of the environment to
a server on this machine.

A client knows its key for as long as it lives. Those of lent keys live while questions use them (`lending`), and a
little longer, so that one event after the other need not connect anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pyscrai.llm.addresses import is_loopback

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from openai import AsyncOpenAI

CONNECT_TIMEOUT = 10.0

LINGER_SECONDS = 20.0
"""How long a client of a lent key outlives the last question that used it."""
MOST_LINGERING = 32

Name = tuple[str, str, str]
"""Protocol, address, key."""


@dataclass
class _Lent:
    """What belongs to one lent key. `users`: questions that it was lent for; `end`: the timer that drops it."""

    users: int = 0
    clients: dict[Name, Any] = field(default_factory=dict)
    end: asyncio.TimerHandle | None = None


@dataclass
class _Clients:
    """Those of one event loop. `closing` keeps what is being closed from being forgotten half-way."""

    own: dict[Name, Any] = field(default_factory=dict)
    lent: dict[str, _Lent] = field(default_factory=dict)
    closing: set[asyncio.Task[None]] = field(default_factory=set)


_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Clients] = WeakKeyDictionary()


def openai_client(base_url: str, key: str, *, own: bool, lent: bool = False) -> AsyncOpenAI:
    """The shared client of a server that speaks OpenAI's protocol; `own`: it is OpenAI's.

    With a `lent` key it is good inside `lending` only.
    """
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
            http_client=DefaultAsyncHttpxClient(timeout=timeout, follow_redirects=False, **_way(base_url)),
        )

    made: AsyncOpenAI = _shared(("openai", base_url, key), make, lent)
    return made


def anthropic_client(base_url: str, key: str, *, lent: bool = False) -> AsyncAnthropic:
    """The shared client of Anthropic's servers. With a `lent` key it is good inside `lending` only."""
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient, Timeout

    def make() -> AsyncAnthropic:
        timeout = Timeout(None, connect=CONNECT_TIMEOUT)
        http = DefaultAsyncHttpxClient(timeout=timeout, follow_redirects=False, **_way(base_url))
        return AsyncAnthropic(base_url=base_url, api_key=key, max_retries=0, timeout=timeout, http_client=http)

    made: AsyncAnthropic = _shared(("anthropic", base_url, key), make, lent)
    return made


def _way(base_url: str) -> dict[str, Any]:
    """Past all proxies to a server on this machine; Anthropic's client reads them itself, where no mounts say so."""
    if not is_loopback(base_url):
        return {}
    return {"trust_env": False, "mounts": dict.fromkeys(("http://", "https://", "all://"))}


def _shared(name: Name, make: Callable[[], Any], lent: bool) -> Any:
    mine = _mine()
    clients = mine.lent[name[2]].clients if lent else mine.own
    if name not in clients:
        clients[name] = make()
    return clients[name]


def _mine() -> _Clients:
    return _loops.setdefault(asyncio.get_running_loop(), _Clients())


@contextmanager
def lending(key: str | None) -> Iterator[None]:
    """A question that may use this lent key, until the block ends; nothing to do for None."""
    if key is None:
        yield
        return
    mine = _mine()
    lent = mine.lent.pop(key, None) or _Lent()
    mine.lent[key] = lent  # the latest is the last
    lent.users += 1
    if lent.end is not None:
        lent.end.cancel()
        lent.end = None
    try:
        yield
    finally:
        lent.users -= 1
        if not lent.users:
            lent.end = asyncio.get_running_loop().call_later(LINGER_SECONDS, _drop, mine, key)
            _drop_most(mine)


def _drop_most(mine: _Clients) -> None:
    idle = [key for key, lent in mine.lent.items() if not lent.users]
    for key in idle[: max(0, len(idle) - MOST_LINGERING)]:
        _drop(mine, key)


def _drop(mine: _Clients, key: str) -> None:
    lent = mine.lent.pop(key, None)
    if lent is None:
        return
    if lent.end is not None:
        lent.end.cancel()
    if lent.clients:
        task = asyncio.get_running_loop().create_task(_close(list(lent.clients.values())))
        mine.closing.add(task)
        task.add_done_callback(mine.closing.discard)


async def _close(clients: list[Any]) -> None:
    for client in clients:
        await client.close()


async def close_clients() -> None:
    """Close those of the running event loop."""
    mine = _loops.pop(asyncio.get_running_loop(), _Clients())
    for lent in mine.lent.values():
        if lent.end is not None:
            lent.end.cancel()
    await _close([*mine.own.values(), *(client for lent in mine.lent.values() for client in lent.clients.values())])
    await asyncio.gather(*mine.closing)
