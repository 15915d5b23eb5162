"""What a handler gets: one line of a run's log, with the money as it stood."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from anyio import to_thread

from pyscrai.contract.runs import Delivered
from pyscrai.domain.entry import CONTROL, STORY

EVERY = "*"
Handler = Callable[["Event"], Awaitable[None] | None]


@dataclass(frozen=True)
class Event:
    """`type` is the entry's kind; `data` its body with `turn`, `phase`, `seat`, `seq`, `run_id`, and `cost` and
    `remaining` as Decimal US dollars (`remaining` None: no limit); `timestamp` is the database's, UTC."""

    type: str
    data: dict[str, Any]
    timestamp: datetime


def event_of(entry: Delivered, run_id: str) -> Event:
    """The event of a delivered entry. What the system knows wins over a body's key of the same name."""
    place = {"turn": entry.turn, "phase": entry.phase, "seat": entry.seat, "seq": entry.seq, "run_id": run_id}
    money = {"cost": entry.cost, "remaining": entry.remaining}
    return Event(entry.kind, {**entry.body, **place, **money}, datetime.fromisoformat(entry.at))


class Handlers:
    """Handlers by kind of entry; `*` is every kind. They are called one after the other, in the log's order."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[Handler]] = {}

    def add(self, kind: str, handler: Handler) -> None:
        self._by_kind.setdefault(kind, []).append(handler)

    async def call(self, entry: Delivered, run_id: str) -> None:
        """Await the async handlers; plain ones run in a thread, so that they may block, or use a Runner."""
        handlers = [*self._by_kind.get(entry.kind, []), *self._by_kind.get(EVERY, [])]
        if not handlers:
            return
        event = event_of(entry, run_id)
        for handler in handlers:
            if inspect.iscoroutinefunction(handler):
                await handler(event)
                continue
            answer = await to_thread.run_sync(partial(handler, event))
            if inspect.isawaitable(answer):
                await answer


def known(kind: str) -> None:
    """Raises ValueError for a kind that no log ever has: a handler would wait for ever."""
    if kind != EVERY and kind not in STORY and kind not in CONTROL:
        raise ValueError(f"no entry of a log is called {kind!r}; there are {', '.join(sorted(STORY | CONTROL))}, *")
