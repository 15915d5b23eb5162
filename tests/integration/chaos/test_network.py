"""The hostile network does what it says: a network that only claimed to be hostile would prove nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from tests.chaos.http1 import Broken, read_request
from tests.chaos.proxy import Network, network
from tests.chaos.weather import Weather

ANSWER = b'{"done": true, "text": "a body that is long enough to be cut somewhere in its middle"}'


@dataclass
class Replica:
    """A server that notes which requests came to it whole. `gate`: answers wait for it."""

    seen: list[str] = field(default_factory=list)
    broken: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    chunked: bool = False

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                self.seen.append(f"{request.target} {request.body.decode()}")
                self.came.set()
                await self.gate.wait()
                writer.write(self._answer())
                await writer.drain()
        except Broken:
            self.broken += 1
            self.came.set()
        except OSError:
            pass  # it was hung up on, as it should be
        finally:
            writer.close()

    def _answer(self) -> bytes:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        if not self.chunked:
            return head + b"content-length: %d\r\n\r\n" % len(ANSWER) + ANSWER
        half = len(ANSWER) // 2
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (ANSWER[:half], ANSWER[half:]))
        return head + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@asynccontextmanager
async def between(weather: Weather) -> AsyncIterator[tuple[httpx.AsyncClient, Replica, Network]]:
    replica = Replica()
    replica.gate.set()
    server = await asyncio.start_server(replica.converse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, network(lambda: [port], random.Random(1)) as net:
        net.storm(weather)
        async with httpx.AsyncClient(base_url=net.url, timeout=20, trust_env=False) as client:
            yield client, replica, net


async def settled(replica: Replica, count: int) -> None:
    """Until the replica has seen so many requests, whole or broken."""
    async with asyncio.timeout(20):
        while len(replica.seen) + replica.broken < count:
            replica.came.clear()
            await replica.came.wait()


@pytest.mark.parametrize("chunked", [False, True])
async def test_in_good_weather_everything_passes(chunked: bool) -> None:
    async with between(Weather()) as (client, replica, net):
        replica.chunked = chunked
        for number in range(20):
            answer = await client.post(f"/things/{number}", content=b"x" * number * 1000)
            assert (answer.status_code, answer.content) == (200, ANSWER)
        assert replica.seen == [f"/things/{number} {'x' * number * 1000}" for number in range(20)]
        assert net.counts == {"requests": 20}


async def test_a_request_may_ask_to_be_left_alone() -> None:
    async with between(Weather(cut_before=1.0)) as (client, replica, _):
        answer = await client.post("/x", content=b"1", headers={"X-Chaos": "calm"})
        assert answer.content == ANSWER
        assert replica.seen == ["/x 1"]


async def test_cut_before_it_was_sent_is_not_done() -> None:
    async with between(Weather(cut_before=1.0)) as (client, replica, net):
        with pytest.raises(httpx.TransportError):
            await client.post("/x", content=b"1")
        net.honest()
        await client.post("/x", content=b"2")
        assert replica.seen == ["/x 2"]


@pytest.mark.parametrize("fate", ["cut_when_sent", "cut_before_answer", "cut_in_answer"])
async def test_what_is_cut_later_is_done_and_not_known(fate: str) -> None:
    async with between(Weather(**{fate: 1.0})) as (client, replica, _):
        with pytest.raises(httpx.TransportError):
            await client.post("/x", content=b"1")
        await settled(replica, 1)
        assert replica.seen == ["/x 1"]


async def test_the_gateway_answers_for_what_is_done() -> None:
    async with between(Weather(gateway=1.0)) as (client, replica, _):
        answer = await client.post("/x", content=b"1")
        assert answer.status_code in (502, 503, 504)
        assert b"<html>" in answer.content
        assert replica.seen == ["/x 1"]


async def test_half_of_a_request() -> None:
    async with between(Weather(half_sent=1.0)) as (client, replica, _):
        with pytest.raises(httpx.TransportError):
            await client.post("/x", content=b"1" * 1000)
        await settled(replica, 1)
        assert (replica.seen, replica.broken) == ([], 1)


async def test_doubled() -> None:
    async with between(Weather(doubled=1.0)) as (client, replica, _):
        assert (await client.post("/x", content=b"1")).content == ANSWER
        await settled(replica, 2)
        assert replica.seen == ["/x 1", "/x 1"]


async def test_repeated_when_the_answer_was_used() -> None:
    async with between(Weather(repeated_late=1.0, latest_repeat=0.1)) as (client, replica, net):
        assert (await client.post("/x", content=b"1")).content == ANSWER
        net.honest()
        await client.post("/x", content=b"2")
        await settled(replica, 3)
        assert sorted(replica.seen) == ["/x 1", "/x 1", "/x 2"]
        assert replica.seen[-1] == "/x 1"


async def test_held_back_until_others_have_passed() -> None:
    async with between(Weather(hold=1.0, longest_delay=60.0)) as (client, replica, net):
        first = asyncio.create_task(client.post("/first"))
        async with asyncio.timeout(20):
            while not net.counts["requests"]:  # noqa: ASYNC110 - a counter, which wakes nobody
                await asyncio.sleep(0)
        net.storm(Weather())
        for _ in range(12):
            await client.post("/later")
        assert (await first).content == ANSWER
        assert replica.seen[0] == "/later "
        assert "/first " in replica.seen


async def test_a_client_that_goes_takes_its_request_along() -> None:
    async with between(Weather()) as (client, replica, _):
        replica.gate.clear()
        asking = asyncio.create_task(client.post("/x", content=b"1"))
        await settled(replica, 1)
        asking.cancel()
        await asyncio.wait({asking})
        replica.gate.set()
        assert (await client.post("/x", content=b"2")).content == ANSWER
        assert replica.seen == ["/x 1", "/x 2"]
