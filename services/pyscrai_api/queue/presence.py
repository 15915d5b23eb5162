"""Whether the client of a request is still there. uvicorn does not end a handler whose client has gone."""

from __future__ import annotations

import asyncio
from types import CoroutineType
from typing import Any, cast

from starlette.requests import Request

PATIENCE = 0.02
"""Seconds after which somebody waits for the client's departure. Most requests are answered before."""


class Client:
    """The client of a request whose body has been read, for the length of a block. `gone` is done when it has gone, or
    soon after."""

    __slots__ = ("_receive", "_task", "_timer", "gone")

    def __init__(self, request: Request) -> None:
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        self._receive = request.receive
        self._task: asyncio.Task[None] | None = None
        self._timer = loop.call_later(PATIENCE, self._watch)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def left(self) -> bool:
        """Whether it has gone, as of this very moment."""
        if self._task is None and not self.gone.done():
            self._glance()
        return self.gone.done()

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
