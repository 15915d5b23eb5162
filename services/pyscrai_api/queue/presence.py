"""Whether the client of a request is still there. uvicorn does not end a handler whose client has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import CoroutineType
from typing import Any, cast

from starlette.requests import Request
from starlette.types import Receive

PATIENCE = 0.02
"""Seconds after which somebody waits for the client's departure. Most requests are answered before."""


class Client:
    """The client of one request, whose body has been read. `gone` is done when it has gone, or soon after."""

    def __init__(self, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        self._receive = receive
        self._task: asyncio.Task[None] | None = None
        self._timer = loop.call_later(PATIENCE, self._watch)

    def left(self) -> bool:
        """Whether it has gone, as of this very moment."""
        if self._task is None and not self.gone.done():
            self._glance()
        return self.gone.done()

    def close(self) -> None:
        """Wait no longer."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _watch(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._wait(), name="departure")

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _glance(self) -> None:
        """One look at what the server would say, without waiting for it: a task for that costs more than the claim."""
        look = cast("CoroutineType[Any, Any, Any]", self._receive())
        try:
            look.send(None)
        except StopIteration as said:
            if said.value["type"] == "http.disconnect":
                self._leave()
        finally:
            look.close()

    def _leave(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)


@contextmanager
def client_of(request: Request) -> Iterator[Client]:
    """The client of a request. The request's body must have been read."""
    client = Client(request.receive)
    try:
        yield client
    finally:
        client.close()
