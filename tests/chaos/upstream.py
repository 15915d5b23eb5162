"""Connections of the proxy to the replicas: any replica for any request, kept open for a moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.chaos.http1 import LONGEST_HEAD, Head, Request, read_head

IDLE_SECONDS = 2.0
"""Shorter than the replicas keep an idle connection: then what breaks was broken by us."""
CONNECT_SECONDS = 5.0
LINGER = 0.05


class NoReplica(Exception):
    """Not one replica takes connections."""


@dataclass(eq=False)
class _Line:
    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float = 0.0


class Upstream:
    """Chooses a replica for each request, by chance."""

    def __init__(self, ports: Callable[[], Sequence[int]], chance: random.Random) -> None:
        self._ports = ports
        self._chance = chance
        self._idle: dict[int, list[_Line]] = {}
        self._writers: dict[int, asyncio.StreamWriter] = {}

    @asynccontextmanager
    async def exchange(self, request: Request) -> AsyncIterator[tuple[Head, asyncio.StreamReader]]:
        """Send it, and give the head of the answer, and the reader of its body, which must be read to its end.

        Raises Broken, OSError, NoReplica. Left by an exception, the connection is reset.
        """
        line = await self._line()
        self._writers[id(line.reader)] = line.writer
        done = False
        try:
            line.writer.write(request.whole)
            await line.writer.drain()
            head = await read_head(line.reader, request.method)
            yield head, line.reader
            done = not head.closing and head.status != 101
        finally:
            del self._writers[id(line.reader)]
            if done:
                line.idle_since = asyncio.get_running_loop().time()
                self._idle.setdefault(line.port, []).append(line)
            else:
                line.writer.transport.abort()

    def writer_of(self, reader: asyncio.StreamReader) -> asyncio.StreamWriter:
        """The other direction of an exchange that became a tunnel."""
        return self._writers[id(reader)]

    async def send_and_hang_up(self, data: bytes) -> None:
        """Send something to some replica, and go."""
        with suppress(OSError, NoReplica):
            line = await self._line()
            line.writer.write(data)
            await line.writer.drain()
            # Not a reset at once, which would take back what lies in the replica's buffer.
            line.writer.close()
            await asyncio.sleep(LINGER)
            line.writer.transport.abort()

    def close(self) -> None:
        """Break all idle connections."""
        for lines in self._idle.values():
            for line in lines:
                line.writer.transport.abort()
        self._idle.clear()

    async def _line(self) -> _Line:
        ports = list(self._ports())
        self._chance.shuffle(ports)
        for port in ports:
            if (line := self._kept(port)) is not None:
                return line
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LONGEST_HEAD)
            except (OSError, TimeoutError):
                continue
            return _Line(port, reader, writer)
        raise NoReplica

    def _kept(self, port: int) -> _Line | None:
        lines = self._idle.get(port, [])
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        while lines:
            line = lines.pop()
            if line.idle_since > oldest and not line.reader.at_eof() and not line.writer.transport.is_closing():
                return line
            line.writer.transport.abort()
        return None
