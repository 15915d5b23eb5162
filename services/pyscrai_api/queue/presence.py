"""Whether the client of a request is still there. uvicorn does not end a handler whose client has gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.requests import Request
from starlette.types import Receive


@asynccontextmanager
async def departure(request: Request) -> AsyncIterator[asyncio.Future[None]]:
    """A future that is done when the client has gone. The request's body must have been read."""
    task = asyncio.create_task(_gone(request.receive), name="departure")
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
