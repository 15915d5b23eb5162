"""A branch waits for a place like any other run, and begins where it left its parent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.integration.runs.desk import Desk, talks

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.settings import Settings


@pytest.fixture
async def desk(dsn: str) -> AsyncIterator[Desk]:
    """A service in which one run of a person plays at once; a test admits runs when it wants that."""
    settings = Settings(database_url=dsn, runs_at_once=1)
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield Desk(http=http, deps=deps)


@pytest.mark.parametrize("turn", [0, 1])
async def test_a_branch_that_had_to_wait_tells_the_same_story(desk: Desk, turn: int) -> None:
    parent = await desk.play(await desk.start(talks()))
    other = await desk.start(talks())
    path, wanted = f"/runs/{parent['id']}/branch", {"at": {"turn": turn}, "changes": {"facts": {"window": 3}}}
    waits = await desk.ok("POST", path, wanted)
    assert (waits["status"], waits["open"], waits["turn"]) == ("pending", 0, turn)
    assert waits["last_seq"] == waits["branch_of"]["seq"]
    assert [one["kind"] for one in (await desk.ok("GET", f"/runs/{waits['id']}/inputs"))["items"]] == ["edit"]
    await desk.ok("POST", f"/runs/{other['id']}/cancel")
    assert await desk.deps.runs.admission.run_once() == 1
    begun = await desk.run(waits)
    assert (begun["status"], begun["turn"]) == ("running", turn + 1)
    log = await desk.log(waits)
    assert [entry["kind"] for entry in log].count("run_started") == 1
    assert "run_resumed" not in [entry["kind"] for entry in log]
    ended = await desk.play(waits)
    at_once = await desk.play(await desk.ok("POST", path, wanted))
    assert (ended["status"], ended["log_digest"]) == ("completed", at_once["log_digest"])
