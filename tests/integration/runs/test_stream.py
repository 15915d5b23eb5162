"""Following a run: from any number on, live, resumable; a slow reader is cut off and the run never waits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.integration.runs.desk import Desk

from pyscrai_api.stream import hub
from pyscrai_api.stream.sse import LogStream


async def frames(desk: Desk, run: dict[str, Any], after: int = 0, seat: str | None = None) -> list[tuple[int, str]]:
    """Read a stream to its end as a client would: (id, event) of each frame."""
    from uuid import UUID

    deps = desk.deps
    stream = LogStream(deps.hub, deps.pool, deps.stopping, run_id=UUID(run["id"]), after=after, seat=seat)
    parts: list[bytes] = []

    async def send(message: Any) -> None:
        parts.append(message.get("body", b""))

    async def receive() -> Any:
        await asyncio.Event().wait()

    await stream({"type": "http", "method": "GET", "headers": []}, receive, send)
    found = []
    for frame in b"".join(parts).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if not line.startswith(":"))
        if fields:
            body = json.loads(fields["data"])
            assert body["seq"] == int(fields["id"])
            found.append((int(fields["id"]), fields["event"]))
    return found


async def test_a_stream_has_everything_in_order_and_ends_with_the_run(desk: Desk) -> None:
    run = await desk.start()
    async with asyncio.TaskGroup() as group:
        early = group.create_task(frames(desk, run))
        await desk.work()
        late = group.create_task(frames(desk, run, after=5))
        await desk.play(run)
    last = (await desk.run(run))["last_seq"]
    assert [number for number, _ in early.result()] == list(range(1, last + 1))
    assert [number for number, _ in late.result()] == list(range(6, last + 1))
    assert early.result()[-1][1] == "run_complete"


async def test_a_seats_stream_leaves_out_what_is_not_its_own(desk: Desk) -> None:
    run = await desk.play(await desk.start())
    kinds = [kind for _, kind in await frames(desk, run, seat="board")]
    assert kinds.count("thought") == 2
    assert "metric" not in kinds


async def test_many_readers_share_one_reader_of_the_database(desk: Desk) -> None:
    run = await desk.start()
    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(frames(desk, run)) for _ in range(20)]
        await desk.play(run)
    assert len({tuple(reader.result()) for reader in readers}) == 1


async def test_a_slow_reader_is_cut_off(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from uuid import UUID

    monkeypatch.setattr(hub, "BACKLOG", 3)
    run = await desk.start()
    deps = desk.deps
    stream = LogStream(deps.hub, deps.pool, deps.stopping, run_id=UUID(run["id"]), after=0, seat=None)
    started = asyncio.Event()

    async def send(message: Any) -> None:
        if b"id: 1\n" in message.get("body", b""):
            started.set()
            await asyncio.Event().wait()  # a client that reads no further

    async def receive() -> Any:
        await asyncio.Event().wait()

    reader = asyncio.create_task(stream({"type": "http", "method": "GET", "headers": []}, receive, send))
    await started.wait()
    assert (await desk.play(run))["status"] == "completed"
    await asyncio.wait_for(reader, 10)


async def test_a_last_event_id_that_is_no_number(desk: Desk) -> None:
    run = await desk.start()
    answer = await desk.http.get(f"/api/v1/runs/{run['id']}/stream", headers={"Last-Event-ID": "x"})
    assert answer.status_code == 400
