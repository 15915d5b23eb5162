"""Following a run over a WebSocket, on a real socket: the same entries, the same rules as everywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import websockets
from starlette.websockets import WebSocket
from tests.integration.runs.desk import Desk, talks

from pyscrai_api.serve import Server, address, listen
from pyscrai_api.settings import Settings
from pyscrai_api.stream import hub, socket
from pyscrai_api.stream.socket import LogSocket


@pytest.fixture
async def url(desk: Desk) -> AsyncIterator[str]:
    """The desk's service on a port."""
    async with served(desk, desk.deps.settings) as address:
        yield address


@asynccontextmanager
async def served(desk: Desk, settings: Settings) -> AsyncIterator[str]:
    """ws://host:port/api/v1."""
    with listen("127.0.0.1", 0) as listener:
        server = Server(settings, desk.deps)
        task = asyncio.create_task(server._serve([listener]))  # no signal handlers: they are the test run's
        while not server.started:
            await asyncio.wait([task], timeout=0.01)
            assert not task.done()
        yield f"ws{address('127.0.0.1', listener.getsockname()[1]).removeprefix('http')}/api/v1"
        server.should_exit = True
        await task


async def read(address: str) -> tuple[list[dict[str, Any]], int | None]:
    """Every message up to the close, and its code."""
    found = []
    async with websockets.connect(address, proxy=None) as listener:
        async for message in listener:
            found.append(json.loads(message))
    return found, listener.close_code


async def test_a_socket_has_everything_in_order_and_closes_with_the_run(desk: Desk, url: str) -> None:
    run = await desk.start()
    async with asyncio.TaskGroup() as group:
        early = group.create_task(read(f"{url}/runs/{run['id']}/stream"))
        await desk.work()
        late = group.create_task(read(f"{url.replace('/api/v1', '/api')}/runs/{run['serial']}/stream/?after=5"))
        named = group.create_task(read(f"{url}/scenarios/{run['scenario']['name']}/stream"))
        await desk.play(run)
    entries, code = early.result()
    log = await desk.log(run)
    assert entries == log
    assert code == 1000
    assert late.result() == (log[5:], 1000)
    assert await read(f"{url}/runs/{run['id']}/stream?after={len(log)}") == ([], 1000)
    assert named.result() == (log, 1000)


async def test_a_seats_socket_leaves_out_what_is_not_its_own(desk: Desk, url: str) -> None:
    run = await desk.play(await desk.start())
    entries, code = await read(f"{url}/runs/{run['id']}/stream?seat=board")
    assert entries == await desk.log(run, seat="board")
    assert code == 1000


@pytest.mark.parametrize("path", ["/runs/0/stream", "/runs/nothing/stream", "/scenarios/nothing/stream"])
async def test_what_is_not_there_is_a_404_before_the_socket_opens(desk: Desk, url: str, path: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await read(url + path)
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body)["code"] == "not_found"


async def test_a_scenario_that_was_never_played(desk: Desk, url: str) -> None:
    name = await desk.scenario(talks())
    with pytest.raises(websockets.InvalidStatus) as refused:
        await read(f"{url}/scenarios/{name}/stream")
    assert refused.value.response.status_code == 404


async def test_another_sites_page_may_not_listen(desk: Desk, url: str) -> None:
    run = await desk.start()
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{(urlsplit(url).port or 0) + 1}"):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"{url}/runs/{run['id']}/stream", proxy=None, origin=origin)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
    ours: Any = f"http://{urlsplit(url).netloc}"
    async with websockets.connect(f"{url}/runs/{run['id']}/stream", proxy=None, origin=ours) as listener:
        assert json.loads(await listener.recv())["kind"] == "run_started"


async def test_a_token_is_needed_where_one_is_set(desk: Desk) -> None:
    run = await desk.start()
    settings = replace(desk.deps.settings, token="open sesame")
    async with served(desk, settings) as url:
        path = f"{url}/runs/{run['id']}/stream"
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(path, proxy=None, additional_headers=headers)
            assert refused.value.response.status_code == 401
        allowed = {"Authorization": "Bearer open sesame"}
        async with websockets.connect(path, proxy=None, additional_headers=allowed) as listener:
            assert json.loads(await listener.recv())["kind"] == "run_started"


async def test_one_who_falls_behind_is_cut_off_and_comes_back(
    desk: Desk, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "BACKLOG", 3)
    run = await desk.start()
    path = f"{url}/runs/{run['id']}/stream"
    seen: list[dict[str, Any]] = []
    async with websockets.connect(path, proxy=None) as listener:
        seen.append(json.loads(await listener.recv()))
        assert (await desk.play(run))["status"] == "completed"
        with suppress(websockets.ConnectionClosedError):
            async for message in listener:
                seen.append(json.loads(message))
    assert listener.close_code in (1000, 1013)
    rest, code = await read(f"{path}?after={seen[-1]['seq']}")
    assert code == 1000
    assert seen + rest == await desk.log(run)


async def test_one_who_reads_nothing_holds_nothing_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "BACKLOG", 3)
    monkeypatch.setattr(socket, "CLOSE_SECONDS", 0.01)
    run = await desk.start()
    stuck, sent = asyncio.Event(), []

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] != "websocket.accept":
            stuck.set()
            await asyncio.Event().wait()

    async def receive() -> Any:
        if "websocket.accept" not in sent:
            return {"type": "websocket.connect"}
        return await asyncio.Event().wait()

    client = WebSocket({"type": "websocket", "headers": []}, receive, send)
    follower = LogSocket(client, desk.deps, run_id=UUID(run["id"]), after=0, seat=None)
    serving = asyncio.create_task(follower.serve())
    await stuck.wait()
    assert (await desk.play(run))["status"] == "completed"
    await asyncio.wait_for(serving, 30)
    assert sent == ["websocket.accept", "websocket.send", "websocket.close"]


async def test_one_who_leaves_is_forgotten(desk: Desk, url: str) -> None:
    run = await desk.start()
    async with websockets.connect(f"{url}/runs/{run['id']}/stream", proxy=None) as listener:
        await listener.recv()
        assert desk.deps.hub.followed == 1
    async with asyncio.timeout(30):
        while desk.deps.hub.followed:
            await asyncio.wait([asyncio.create_task(desk.run(run))])
