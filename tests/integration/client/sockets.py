"""A server of one's own on a real socket: it says whatever a test wants said, byte by byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue"
Answering = Callable[["Asked"], Awaitable[None]]


@dataclass
class Asked:
    """One request: its head and body, and the connection that it came on (`on` counts them from 1)."""

    head: str
    body: bytes
    on: int
    writer: asyncio.StreamWriter

    @property
    def line(self) -> str:
        return self.head.partition("\r\n")[0]

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def cut(self) -> None:
        self.writer.close()


@dataclass
class Server:
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(condition)

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


@asynccontextmanager
async def serving(answer: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server for the time of the block; `answer` is called with each request, in turn on each connection."""
    server = Server()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        number = server.connections
        server.open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
                asked = Asked(head, await reader.readexactly(int(length or 0)), number, writer)
                server.asked.append(asked)
                await server._tell()
                await answer(asked)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
            server.open -= 1
            await server._tell()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await server.until(lambda: server.open == 0)


async def well(asked: Asked) -> None:
    await asked.say(OK)
