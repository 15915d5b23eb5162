"""How answers go out: the head together with the first of the body, in one piece.

uvicorn writes them one after the other, each of which is a call to the system, and wakes the client: 50 µs a request.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD, _LENGTH = b"HTTP/1.", b"\r\ncontent-length: "


class Joining:
    """A transport that keeps the head of an answer until its body comes, where the head says that one comes at once.

    `bodies`: whether answers have bodies, which those to HEAD have not, whatever they say.
    """

    __slots__ = ("_head", "_transport", "bodies", "write_at_once")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.bodies = True
        self.write_at_once = transport.write

    def write(self, data: bytes) -> None:
        """As of a transport."""
        if self._head:
            data, self._head = self._head + data, b""
        elif self.bodies and data.startswith(_HEAD) and _LENGTH in data:
            self._head = data
            return
        self.write_at_once(data)

    def close(self) -> None:
        """As of a transport: what was written is still sent."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Protocol(HttpToolsProtocol):
    """uvicorn's, over a transport that joins."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._joining = Joining(transport)
        super().connection_made(cast(asyncio.Transport, self._joining))

    def on_headers_complete(self) -> None:
        """A request's head is there."""
        super().on_headers_complete()
        self._joining.bodies = self.scope["method"] != "HEAD"
