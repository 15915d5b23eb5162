"""The network between everybody and the API replicas: a reverse proxy without sticky sessions that does its worst.

It never invents or changes content: it loses, repeats, delays, reorders and tears what passes, as real networks, load
balancers and impatient clients do.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from tests.chaos.http1 import LONGEST_HEAD, Broken, Head, Request, pieces, read_request
from tests.chaos.upstream import NoReplica, Upstream
from tests.chaos.weather import CALM, Fate, Weather

PATIENCE = 60.0
"""Seconds for which the answer to a repeated request is awaited; nobody reads it."""
MOST_PASSING = 12
"""A request that is held back lets so many others pass, at most."""
STREAM_SECONDS = 8.0
"""Mean life of a stream in bad weather."""
PAGE = b"<html><head><title>%d</title></head><body><center><h1>%d gateway</h1></center></body></html>\r\n"


class Network:
    """An async context manager. `ports` says where the replicas are; `counts` what was done, `by_route` to what."""

    def __init__(self, ports: Callable[[], Sequence[int]], chance: random.Random) -> None:
        self.port = 0
        self.counts: Counter[str] = Counter()
        self.by_route: Counter[tuple[str, str]] = Counter()
        self._upstream = Upstream(ports, chance)
        self._chance = chance
        self._weather = CALM
        self._sent = 0
        self._held: list[tuple[int, asyncio.Event]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The front door."""
        return f"http://127.0.0.1:{self.port}"

    def storm(self, weather: Weather) -> None:
        """From now on, this."""
        self._weather = weather

    def honest(self) -> None:
        """Every request passes, and nothing is held any more."""
        self._weather = CALM
        for _, event in self._held:
            event.set()
        self._held.clear()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Door(self), "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._upstream.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that does not outlive the network."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client to its end."""
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._serve(request, reader, writer):
                    break
                await writer.drain()
        except (OSError, Broken):
            # One of the two ends is gone: so is the other.
            self.counts["lines that broke by themselves"] += 1
            writer.transport.abort()
        finally:
            writer.close()

    async def _serve(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection may be used again."""
        self.counts["requests"] += 1
        weather = CALM if request.calm else self._weather
        fate = weather.fate(self._chance)
        late_answer = await self._slow(request, weather)
        self._note(request, fate)
        self._pass()
        match fate:
            case "cut before it was sent":
                writer.transport.abort()
                return False
            case "half of it sent":
                await self._half(request)
                writer.transport.abort()
                return False
            case "cut when it was sent":
                await self._upstream.send_and_hang_up(request.whole)
                writer.transport.abort()
                return False
            case "doubled":
                self.spawn(self._copy(request, 0.0))
        keep = await self._answer(request, fate, late_answer, reader, writer)
        if fate == "repeated late" and not request.endless:
            pause = min(weather.latest_repeat, self._chance.expovariate(4 / weather.latest_repeat))
            self.spawn(self._copy(request, pause))
        return keep

    async def _slow(self, request: Request, weather: Weather) -> float:
        """Delay it, hold it back; returns by how much its answer shall be late."""
        late = 0.0
        if weather.delay and self._chance.random() < weather.delay:
            pause = weather.longest_delay * self._chance.random() ** 3
            if self._chance.random() < 0.5:
                self._note(request, "delayed")
                await asyncio.sleep(pause)
            else:
                self._note(request, "answered late")
                late = pause
        if weather.hold and self._chance.random() < weather.hold:
            event = asyncio.Event()
            number = self._sent
            self._held.append((number + self._chance.randint(1, MOST_PASSING), event))
            with suppress(TimeoutError):
                async with asyncio.timeout(weather.longest_delay):
                    await event.wait()
            if self._sent > number:
                self._note(request, "overtaken by others")
        return late

    def _pass(self) -> None:
        self._sent += 1
        if self._held:
            for _, event in (held for held in self._held if held[0] <= self._sent):
                event.set()
            self._held = [held for held in self._held if not held[1].is_set()]

    async def _answer(
        self,
        request: Request,
        fate: Fate,
        late: float,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        try:
            async with self._upstream.exchange(request) as (head, line):
                if late:
                    await asyncio.sleep(late)
                if head.status == 101:
                    await self._tunnel(head, line, reader, writer)
                    return False
                if fate in ("cut before its answer", "cut in mid-answer", "answered by the gateway"):
                    return await self._spoil(fate, head, line, writer)
                await self._relay(request, head, line, writer)
                return not head.closing
        except NoReplica:
            self.counts["no replica was there"] += 1
            self._page(writer, 503)
            return True

    async def _relay(
        self, request: Request, head: Head, line: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(head.raw)
        if request.endless and self._weather is not CALM:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._chance.expovariate(1 / STREAM_SECONDS)):
                    await _pour(pieces(line, head), writer)
                    return
            self._note(request, "stream cut")
            raise Broken("the stream was cut")
        await _pour(pieces(line, head), writer)

    async def _spoil(self, fate: Fate, head: Head, line: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """The replica has done it and answered; what the client gets of that."""
        body = b""
        async for piece in pieces(line, head):
            body += piece
            if len(body) > LONGEST_HEAD:
                raise Broken("cut in a long answer")
        if fate == "answered by the gateway":
            self._page(writer, self._chance.choice((502, 503, 504)))
            return True
        if fate == "cut in mid-answer":
            whole = head.raw + body
            writer.write(whole[: self._chance.randrange(1, len(whole))])
            await writer.drain()
        writer.transport.abort()
        return False

    async def _half(self, request: Request) -> None:
        whole = request.whole
        await self._upstream.send_and_hang_up(whole[: self._chance.randrange(1, len(whole))])

    async def _copy(self, request: Request, pause: float) -> None:
        """The same once more, on whatever replica comes; nobody reads the answer."""
        await asyncio.sleep(pause)
        try:
            async with asyncio.timeout(PATIENCE), self._upstream.exchange(request) as (head, line):
                async for _ in pieces(line, head):
                    pass
        except (OSError, Broken, NoReplica, TimeoutError):
            self.counts["repeats that found nobody"] += 1

    async def _tunnel(
        self, head: Head, line: asyncio.StreamReader, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(head.raw)
        back = self._upstream.writer_of(line)
        there = self.spawn(_pour(_all(reader), back))
        try:
            await _pour(_all(line), writer)
        finally:
            there.cancel()

    def _page(self, writer: asyncio.StreamWriter, status: int) -> None:
        body = PAGE % (status, status)
        head = f"HTTP/1.1 {status} Gateway\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    def _note(self, request: Request, what: str) -> None:
        if what != "passed":
            self.counts[what] += 1
            self.by_route[what, request.route] += 1


class _Door(asyncio.StreamReaderProtocol):
    """A client's connection. When the client goes, the work for it is broken off, and the replica sees it go."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._task: asyncio.Task[None] | None = None
        super().__init__(asyncio.StreamReader(limit=LONGEST_HEAD), self._begin)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._conversation = self._network.spawn(self._network.converse(reader, writer))

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._conversation.cancel()


async def _pour(source: AsyncIterator[bytes], writer: asyncio.StreamWriter) -> None:
    async for piece in source:
        writer.write(piece)
        await writer.drain()


async def _all(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await reader.read(LONGEST_HEAD):
        yield piece


@asynccontextmanager
async def network(ports: Callable[[], Sequence[int]], chance: random.Random) -> AsyncIterator[Network]:
    """A network, honest at first."""
    async with Network(ports, chance) as made:
        yield made
