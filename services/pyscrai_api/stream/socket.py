"""A run's log over a WebSocket: each entry is one text message, the JSON that the other streams deliver. While calls
are paid for, messages of the kind `cost` come between them, without a `seq`: what the run has spent by now.

Codes of the close: 1000 the run is over, 1001 the service stops, 1013 the reader was too slow. After the last two, come
back with `after` = the `seq` of the last message. Messages of the client are not looked at.
"""

from __future__ import annotations

from uuid import UUID

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from pyscrai.contract.costs import CostNow
from pyscrai_api.deps import Deps
from pyscrai_api.runs.entries import as_seen
from pyscrai_api.stream.reading import LAST, entries

OVER, STOPPING, TOO_SLOW = 1000, 1001, 1013
REASONS = {OVER: "the run is over", STOPPING: "the service stops", TOO_SLOW: "too slow; resume with after"}
CLOSE_SECONDS = 1.0


class LogSocket:
    """Everything after a number, then what comes, for one client."""

    def __init__(self, websocket: WebSocket, shared: Deps, *, run_id: UUID, after: int, seat: str | None) -> None:
        self._socket, self._shared = websocket, shared
        self._run_id, self._after, self._seat = run_id, after, seat
        self._code: int | None = STOPPING
        self._scope = anyio.CancelScope()

    async def serve(self) -> None:
        """Accept, send until there is nothing more to send, close."""
        await self._socket.accept()
        with self._scope:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch)
                await self._send()
                group.cancel_scope.cancel()
        if self._code is None:
            return
        # One who does not read does not let anything out, the close included.
        with anyio.move_on_after(CLOSE_SECONDS):
            await self._socket.close(self._code, REASONS[self._code])

    async def _send(self) -> None:
        over = False
        async with self._shared.hub.follow(self._run_id, self._dropped) as follower:
            async for entry in entries(follower, self._shared.pool, self._shared.stopping, self._after):
                if entry is None:
                    continue
                if isinstance(entry, CostNow):
                    await self._text(entry.model_dump_json())
                    continue
                if (seen := as_seen(entry, self._seat)) is not None:
                    await self._text(seen.model_dump_json())
                over = over or entry.kind in LAST
        self._code = OVER if over or not self._shared.stopping.is_set() else STOPPING
        if not self._shared.stopping.is_set():
            self._code = OVER  # also where the client had the last entry before it came

    async def _text(self, text: str) -> None:
        try:
            await self._socket.send_text(text)
        except WebSocketDisconnect:
            self._left()

    async def _watch(self) -> None:
        """Nothing that a client says matters, but its going does."""
        while (await self._socket.receive())["type"] != "websocket.disconnect":
            pass
        self._left()

    def _dropped(self) -> None:
        self._code = TOO_SLOW
        self._scope.cancel()

    def _left(self) -> None:
        self._code = None
        self._scope.cancel()
