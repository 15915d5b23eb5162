"""A run's log as server-sent events: `id:` is the number, `event:` the kind, `data:` the entry as delivered.

While calls are paid for, events `cost` without an `id:` come between the entries: what the run has spent by now.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pyscrai.contract.costs import CostNow
from pyscrai.contract.runs import Delivered
from pyscrai_api.database import Pool
from pyscrai_api.runs.entries import as_seen
from pyscrai_api.stream.hub import Hub
from pyscrai_api.stream.reading import entries


class LogStream(StreamingResponse):
    """Everything after a number, then what comes. Ends with the run, or is cut off when the reader is too slow."""

    def __init__(
        self, hub: Hub, pool: Pool, stopping: asyncio.Event, *, run_id: UUID, after: int, seat: str | None
    ) -> None:
        self._hub, self._pool, self._stopping = hub, pool, stopping
        self._run_id, self._after, self._seat = run_id, after, seat
        self._scope = anyio.CancelScope()
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(self._events(), media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A reader that takes nothing blocks `send`: cancelling is the only way to let go of it.
        with self._scope:
            await super().__call__(scope, receive, send)

    async def _events(self) -> AsyncIterator[bytes]:
        async with self._hub.follow(self._run_id, self._scope.cancel) as follower:
            yield b": connected\n\n"
            async for entry in entries(follower, self._pool, self._stopping, self._after):
                if entry is None:
                    yield b": keep-alive\n\n"
                elif isinstance(entry, CostNow):
                    yield cost_frame(entry)
                elif (seen := as_seen(entry, self._seat)) is not None:
                    yield frame(seen)


def frame(entry: Delivered) -> bytes:
    """One entry as an SSE frame."""
    return f"id: {entry.seq}\nevent: {entry.kind}\ndata: {entry.model_dump_json()}\n\n".encode()


def cost_frame(now: CostNow) -> bytes:
    """What a run has spent as an SSE frame. Without an id, so that a reader who resumes does so at an entry."""
    return f"event: {now.kind}\ndata: {now.model_dump_json()}\n\n".encode()
