"""The line between one API replica and PostgreSQL: plain TCP, which can be cut at the worst moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Self

COMMIT = b"COMMIT;"
SYNC = b"S\x00\x00\x00\x04"
"""The end of a statement of the extended protocol; outside a transaction its work is committed at it."""
LINGER = 0.25
"""Seconds that the server keeps what it got last before it learns that nobody listens: it commits meanwhile."""


class Wire:
    """Listens on `port` for one replica. `cut` breaks lines now, `cut_in_doubt` after the next commit was sent."""

    def __init__(self, target: int, did: Callable[[str], None], chance: random.Random) -> None:
        self.port = 0
        self.target = target
        self._did = did
        self._chance = chance
        self._lines: set[_Near] = set()
        self._armed = 0
        self._lingering: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Near(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut(len(self._lines))
        for transport in self._lingering:
            transport.abort()

    @property
    def ports(self) -> list[int]:
        """The ports under which the server knows this replica's connections."""
        return [line.far.port for line in self._lines if line.far is not None and line.far.port]

    def cut(self, count: int) -> int:
        """Break so many connections, whatever they are doing; returns how many there were to break."""
        chosen = self._chance.sample(sorted(self._lines, key=id), min(count, len(self._lines)))
        for line in chosen:
            line.abort()
        return len(chosen)

    def cut_in_doubt(self, count: int = 1) -> None:
        """Break the next `count` connections that send a commit, after it is sent and before its answer is there."""
        self._armed += count

    def disarm(self) -> int:
        """Forget what has not happened yet; returns how much that was."""
        left, self._armed = self._armed, 0
        return left

    def passes(self, line: _Near, data: bytes) -> None:
        """Called when data went to the server."""
        if self._armed and (COMMIT in data or (data.endswith(SYNC) and self._chance.random() < 0.2)):
            self._armed -= 1
            self._did(f"database line cut in {'mid-commit' if COMMIT in data else 'mid-statement'}")
            line.hang_up()

    def linger(self, transport: asyncio.Transport) -> None:
        """Break the server's end in a moment."""
        self._lingering.add(transport)
        asyncio.get_running_loop().call_later(LINGER, self._end, transport)

    def _end(self, transport: asyncio.Transport) -> None:
        self._lingering.discard(transport)
        transport.abort()

    def joined(self, line: _Near) -> None:
        self._lines.add(line)

    def left(self, line: _Near) -> None:
        self._lines.discard(line)


class _End(asyncio.Protocol):
    """One end of a line; `peer` is where its data go, with back-pressure."""

    transport: asyncio.Transport | None = None
    peer: _End | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()


class _Far(_End):
    """The end at the server."""

    port = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.port = transport.get_extra_info("sockname")[1]


class _Near(_End):
    """The end at the replica."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.far: _Far | None = None
        self._early = b""
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, far = await loop.create_connection(_Far, "127.0.0.1", self.wire.target)
        except OSError:
            self.abort()
            return
        assert self.transport is not None
        if self.transport.is_closing():
            assert far.transport is not None
            far.transport.abort()
            return
        self.far = self.peer = far
        far.peer = self
        self.wire.joined(self)
        assert far.transport is not None
        far.transport.write(self._early)

    def data_received(self, data: bytes) -> None:
        if self.far is None:
            # Little: nobody says more than his name before he is answered.
            self._early += data
            return
        super().data_received(data)
        self.wire.passes(self, data)

    def connection_lost(self, error: Exception | None) -> None:
        self.wire.left(self)
        super().connection_lost(error)

    def abort(self) -> None:
        """Both ends at once, with a reset."""
        for end in (self, self.far):
            if end is not None and end.transport is not None:
                end.transport.abort()

    def hang_up(self) -> None:
        """The replica hears nothing more; the server still gets time to do what it was told."""
        far = self.far
        assert self.transport is not None
        assert far is not None
        far.peer = self.peer = None
        self.transport.abort()
        if far.transport is not None:
            self.wire.linger(far.transport)
