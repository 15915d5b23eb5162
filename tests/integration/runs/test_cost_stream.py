"""What a run costs reaches those who follow it while calls are paid for, and nobody else is bothered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
import websockets
from tests.integration.runs.desk import Desk, crowd, done, money, settled
from tests.integration.runs.test_sockets import served

from pyscrai_api.queue import notify
from pyscrai_api.stream import costs
from pyscrai_api.stream.sse import LogStream

PRICED = {"model": "openai:test", "prices": {"openai:test": {"input": "1", "output": "2"}}, "limit": "1"}


class Reader:
    """A client of the stream: what came, and waiting for something to come."""

    def __init__(self) -> None:
        self.frames: list[dict[str, str]] = []
        self._came = asyncio.Event()

    async def send(self, message: Any) -> None:
        for frame in message.get("body", b"").decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in frame.splitlines() if line and not line.startswith(":"))
            if fields:
                self.frames.append(fields)
                self._came.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [json.loads(frame["data"]) for frame in self.frames if frame["event"] == kind]

    async def until(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        async with asyncio.timeout(20):
            while len(self.of(kind)) < count:
                self._came.clear()
                await self._came.wait()
        return self.of(kind)


@asynccontextmanager
async def reading(desk: Desk, run: dict[str, Any]) -> AsyncIterator[Reader]:
    deps, reader = desk.deps, Reader()
    stream = LogStream(deps.hub, deps.pool, deps.stopping, run_id=UUID(run["id"]), after=0, seat=None)

    async def receive() -> Any:
        await asyncio.Event().wait()

    task = asyncio.create_task(stream({"type": "http", "method": "GET", "headers": []}, receive, reader.send))
    try:
        await reader.until("run_started")
        yield reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def url(desk: Desk) -> AsyncIterator[str]:
    """The desk's service on a port."""
    async with served(desk, desk.deps.settings) as address:
        yield address


@pytest.fixture
def every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "COST_GAP", 0)
    monkeypatch.setattr(costs, "COST_GAP", 0)


@pytest.mark.usefixtures("every_time")
async def test_what_is_spent_between_two_commits_is_told(desk: Desk) -> None:
    run = await desk.start(crowd(3), **PRICED)
    async with reading(desk, run) as reader:
        events = await desk.claim("actor")
        await desk.reserve("actor", *events)
        for number, event in enumerate(events[:2]):
            await desk.finish("actor", done(event), calls=[settled(event)])
            told = (await reader.until("cost", number + 1))[-1]
            now = await desk.run(run)
            assert money(told["spent"]) == money(now["spent"]) > 0
            assert money(told["reserved"]) == money(now["reserved"]) > 0
            assert money(told["remaining"]) == 1 - money(now["spent"])
            assert (told["kind"], told["model_calls"]) == ("cost", now["model_calls"])
        # The last one commits the step: its entries have the cost themselves.
        await desk.finish("actor", done(events[2]), calls=[settled(events[2])])
        last = (await reader.until("turn_complete"))[-1]
        assert money(last["cost"]) == money((await desk.run(run))["spent"])
        await reader.until("run_complete")
    assert all("id" not in frame for frame in reader.frames if frame["event"] == "cost")
    numbers = [int(frame["id"]) for frame in reader.frames if frame["event"] != "cost"]
    assert numbers == list(range(1, (await desk.run(run))["last_seq"] + 1))


async def test_many_payments_in_a_moment_are_told_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "COST_GAP", 3600)
    rung: list[UUID] = []
    run = await desk.start(crowd(20), **PRICED)
    async with reading(desk, run) as reader:
        events = await desk.claim("actor")
        await desk.reserve("actor", *events)
        desk.deps.bell.listen_runs(rung.append)
        for event in events[:19]:
            await desk.finish("actor", done(event), calls=[settled(event)])
        assert rung == [UUID(run["id"])]
        # What the bell leaves out, the hub finds by itself.
        spent = money((await desk.run(run))["spent"])
        while money((await reader.until("cost"))[-1]["spent"]) < spent:
            await reader.until("cost", len(reader.of("cost")) + 1)
        assert len(reader.of("cost")) < 10


async def test_free_calls_ring_nobody(desk: Desk) -> None:
    run = await desk.start(crowd(4))
    rung: list[UUID] = []
    async with reading(desk, run) as reader:
        events = await desk.claim("actor")
        await desk.reserve("actor", *events)
        desk.deps.bell.listen_runs(rung.append)
        for event in events[:3]:
            await desk.finish("actor", done(event), calls=[settled(event)])
        assert rung == []
        await desk.finish("actor", done(events[3]), calls=[settled(events[3])])
        await reader.until("run_complete")
        assert reader.of("cost") == []


@pytest.mark.usefixtures("every_time")
async def test_a_socket_tells_it_too(desk: Desk, url: str) -> None:
    run = await desk.start(crowd(2), **PRICED)
    async with websockets.connect(f"{url}/runs/{run['id']}/stream", proxy=None) as listener:
        first = json.loads(await asyncio.wait_for(listener.recv(), 20))
        assert first["kind"] == "run_started"
        events = await desk.claim("actor")
        await desk.reserve("actor", *events)
        await desk.finish("actor", done(events[0]), calls=[settled(events[0])])
        async with asyncio.timeout(20):
            while (told := json.loads(await listener.recv()))["kind"] != "cost":
                pass
    assert money(told["spent"]) == money((await desk.run(run))["spent"]) > 0
    assert "seq" not in told
