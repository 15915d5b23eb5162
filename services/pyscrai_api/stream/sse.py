"""A run's log as server-sent events: `id:` is the number, `event:` the kind, `data:` the entry as delivered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pyscrai.contract.runs import Delivered
from pyscrai_api.database import Pool
from pyscrai_api.runs.entries import read_log
from pyscrai_api.stream.hub import PAGE, Follower, Hub

KEEP_ALIVE_SECONDS = 10.0
LAST = frozenset({"run_complete", "run_failed", "run_cancelled"})
"""After one of these nothing follows, and the stream ends."""


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
            async for entry in self._entries(follower):
                if entry is None:
                    yield b": keep-alive\n\n"
                    continue
                if entry.visible(self._seat):
                    yield frame(entry)
                if entry.kind in LAST:
                    return

    async def _entries(self, follower: Follower) -> AsyncIterator[Delivered | None]:
        async for entry in self._past():
            yield entry
        while not self._stopping.is_set():
            try:
                entry = await asyncio.wait_for(follower.queue.get(), KEEP_ALIVE_SECONDS)
            except TimeoutError:
                yield None
                continue
            if entry.seq > self._after:
                self._after = entry.seq
                yield entry

    async def _past(self) -> AsyncIterator[Delivered]:
        while True:
            async with self._pool.acquire() as conn:
                entries = await read_log(conn, self._run_id, self._after, PAGE)
            for entry in entries:
                self._after = entry.seq
                yield entry
            if len(entries) < PAGE:
                return


def frame(entry: Delivered) -> bytes:
    """One entry as an SSE frame."""
    return f"id: {entry.seq}\nevent: {entry.kind}\ndata: {entry.model_dump_json()}\n\n".encode()
