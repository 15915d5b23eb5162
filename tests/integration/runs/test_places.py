"""At most so many runs of one person play at once; the others wait for their turn, the oldest first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from tests.integration.runs.desk import Desk, back, crowd, done, failed

from pyscrai.contract.runs import NewRun
from pyscrai.domain.errors import PolicyError
from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.loops.all import loops
from pyscrai_api.loops.base import running
from pyscrai_api.runs import admission as admitting
from pyscrai_api.settings import Settings

AT_ONCE = 3
WAITS = "3 of your runs play; at most 3 at once (PYSCRAI_RUNS_AT_ONCE)"


@pytest.fixture
async def desk(dsn: str) -> AsyncIterator[Desk]:
    """A service as it is by default; a test admits runs when it wants that."""
    settings = Settings(database_url=dsn)
    assert settings.runs_at_once == AT_ONCE
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield Desk(http=http, deps=deps)


async def statuses(desk: Desk, runs: list[dict[str, Any]]) -> list[str]:
    return [(await desk.run(run))["status"] for run in runs]


async def several(desk: Desk, count: int, turns: int = 1) -> list[dict[str, Any]]:
    return [await desk.start(crowd(1, turns)) for _ in range(count)]


async def admit(desk: Desk) -> int:
    return await desk.deps.runs.admission.run_once()


async def test_a_fourth_run_waits_and_says_why(desk: Desk) -> None:
    runs = await several(desk, 5)
    assert [run["status"] for run in runs] == ["running"] * 3 + ["pending"] * 2
    fourth, fifth = [await desk.run(run) for run in runs[3:]]
    assert (fourth["reason"]["code"], fourth["reason"]["message"]) == ("waiting_for_place", WAITS)
    assert "and 1 more wait" in fifth["reason"]["message"]
    assert (fourth["turn"], fourth["last_seq"], fourth["open"], fourth["started_at"]) == (0, 0, 0, None)
    assert await desk.log(fourth) == []
    assert (await desk.ok("GET", f"/runs/{fourth['id']}/snapshot"))["run"]["status"] == "pending"
    listed = (await desk.ok("GET", "/runs", status="pending"))["items"]
    assert {run["id"] for run in listed} == {run["id"] for run in runs[3:]}
    assert len(await desk.claim("actor")) == 3


async def test_each_end_lets_the_oldest_begin(desk: Desk) -> None:
    runs = await several(desk, 6)
    for ended in range(6):
        assert await admit(desk) == 0
        playing = min(3, 6 - ended)
        assert await statuses(desk, runs) == (
            ["completed"] * ended + ["running"] * playing + ["pending"] * (6 - ended - playing)
        )
        events = {event["run_id"]: event for event in await desk.claim("actor")}
        await desk.finish("actor", *[back(event) for run, event in events.items() if run != runs[ended]["id"]])
        await desk.finish("actor", done(events[runs[ended]["id"]]))
        assert await admit(desk) == (1 if ended < 3 else 0)
    digests = {(await desk.run(run))["log_digest"] for run in runs}
    assert len(digests) == 1, "who had to wait tells the same story"


async def test_twenty_starts_at_once_never_give_more_than_three(desk: Desk) -> None:
    name = await desk.scenario(crowd(1))
    start = desk.deps.runs.start
    await asyncio.gather(*[start(NewRun(scenario=name), "local") for _ in range(20)])
    assert await counted(desk) == {"running": 3, "pending": 17}
    for left in range(17, 0, -1):
        (event, *others) = await desk.claim("actor")
        await desk.finish("actor", done(event), *[back(other) for other in others])
        # Admission in several processes at once, and somebody who starts one more.
        await asyncio.gather(*[admit(desk) for _ in range(4)], start(NewRun(scenario=name), "local"))
        found = await counted(desk)
        assert found["running"] == 3, left


async def counted(desk: Desk) -> dict[str, int]:
    async with desk.deps.pool.acquire() as conn:
        return Counter([row["status"] for row in await conn.fetch("SELECT status FROM runs")])


async def test_two_owners_do_not_disturb_each_other(desk: Desk) -> None:
    await desk.ok("POST", "/templates/scenarios", {"name": "crowd", "content": crowd(1), "visibility": "shared"})
    start = desk.deps.runs.start
    await asyncio.gather(*[start(NewRun(scenario="crowd"), "local") for _ in range(5)])
    async with desk.deps.pool.acquire() as conn, conn.transaction():
        # One owner's admission is under way: nobody else waits for it.
        await conn.execute("SELECT pg_advisory_xact_lock($1, hashtext('local'))", admitting_key())
        await start(NewRun(scenario="crowd"), "ada")
    rows = await fetch(desk, "SELECT owner, status, count(*) FROM runs GROUP BY 1, 2 ORDER BY 1, 2")
    assert rows == [("ada", "running", 1), ("local", "pending", 2), ("local", "running", 3)]


def admitting_key() -> int:
    from pyscrai_api.runs import places

    return places._KIND


async def fetch(desk: Desk, query: str) -> list[tuple[Any, ...]]:
    async with desk.deps.pool.acquire() as conn:
        return [tuple(row.values()) for row in await conn.fetch(query)]


async def test_a_pause_a_block_and_a_cancel_free_a_place(desk: Desk) -> None:
    runs = await several(desk, 6)
    await desk.ok("POST", f"/runs/{runs[0]['id']}/pause")
    assert await admit(desk) == 1
    await desk.ok("POST", f"/runs/{runs[1]['id']}/cancel")
    assert await admit(desk) == 1
    (event,) = [event for event in await desk.claim("actor") if event["run_id"] == runs[2]["id"]]
    await desk.finish("actor", failed(event, permanent=True))
    assert await admit(desk) == 1
    assert await statuses(desk, runs) == ["paused", "cancelled", "blocked"] + ["running"] * 3


async def test_resuming_at_capacity_waits_and_goes_on_where_it_was(desk: Desk) -> None:
    first, *others = await several(desk, 4, turns=2)
    (event,) = [event for event in await desk.claim("actor") if event["run_id"] == first["id"]]
    await desk.finish("actor", done(event))
    await desk.ok("POST", f"/runs/{first['id']}/pause")
    assert await admit(desk) == 1
    before = await desk.run(first)
    resumed = await desk.ok("POST", f"/runs/{first['id']}/resume", {})
    assert (resumed["status"], resumed["reason"]["message"]) == ("pending", WAITS)
    assert (resumed["turn"], resumed["open"], resumed["started_at"]) == (2, 1, before["started_at"])
    assert await admit(desk) == 0
    await desk.ok("POST", f"/runs/{others[0]['id']}/cancel")
    assert await admit(desk) == 1
    now = await desk.run(first)
    assert (now["status"], now["reason"]) == ("running", None)
    assert [entry["kind"] for entry in await desk.log(first)][-1] == "run_resumed"
    assert (await desk.play(first))["status"] == "completed"


async def test_a_step_that_ended_while_its_run_waited_is_committed_at_admission(desk: Desk) -> None:
    first, second, *_ = await several(desk, 3, turns=2)
    events = {event["run_id"]: event for event in await desk.claim("actor")}
    await desk.ok("POST", f"/runs/{first['id']}/pause")
    await several(desk, 1)
    await desk.ok("POST", f"/runs/{first['id']}/resume", {})
    await desk.finish("actor", done(events[first["id"]]))
    waiting = await desk.run(first)
    assert (waiting["status"], waiting["open"], waiting["turn"]) == ("pending", 0, 1)
    await desk.ok("POST", f"/runs/{second['id']}/cancel")
    assert await admit(desk) == 1
    assert ((await desk.run(first))["status"], (await desk.run(first))["turn"]) == ("running", 2)


async def test_a_pending_run_is_cancelled_paused_and_resumed(desk: Desk) -> None:
    runs = await several(desk, 6)
    fourth, fifth, sixth = runs[3:]
    assert (await desk.ok("POST", f"/runs/{fourth['id']}/cancel"))["status"] == "cancelled"
    paused = await desk.ok("POST", f"/runs/{fifth['id']}/pause")
    assert (paused["status"], paused["reason"]["code"]) == ("paused", "by_user")
    for run in runs[:2]:
        await desk.ok("POST", f"/runs/{run['id']}/cancel")
    assert await admit(desk) == 1, "a paused one does not want a place"
    assert (await desk.run(sixth))["status"] == "running"
    assert (await desk.ok("POST", f"/runs/{fifth['id']}/resume", {}))["status"] == "running"
    kinds = [entry["kind"] for entry in await desk.log(fifth)]
    assert kinds == ["run_paused", "run_started", "turn_started"]
    plain, late = await desk.play(sixth), await desk.run(fifth)
    assert (late["status"], late["log_digest"]) == ("completed", plain["log_digest"])


async def test_a_run_that_cannot_begin_is_blocked_and_the_next_one_begins(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = await several(desk, 5)
    real = admitting.begin

    def begin(plan: Any, *, seq: int = 0) -> Any:
        monkeypatch.setattr(admitting, "begin", real)
        raise PolicyError("there is no beginning")

    monkeypatch.setattr(admitting, "begin", begin)
    await desk.ok("POST", f"/runs/{runs[0]['id']}/cancel")
    assert await admit(desk) == 1
    blocked = await desk.run(runs[3])
    assert (blocked["status"], blocked["reason"]["code"]) == ("blocked", "policy_error")
    assert "there is no beginning" in blocked["reason"]["message"]
    assert await admit(desk) == 1
    assert (await desk.run(runs[4]))["status"] == "running"
    await desk.ok("POST", f"/runs/{runs[1]['id']}/cancel")
    assert (await desk.ok("POST", f"/runs/{runs[3]['id']}/resume", {}))["status"] == "running"


async def test_an_admission_that_is_cut_off_leaves_the_run_waiting(desk: Desk, dsn: str) -> None:
    """Killed with the place taken and nothing committed: nothing has happened."""
    runs = await several(desk, 4)
    await desk.ok("POST", f"/runs/{runs[0]['id']}/cancel")
    dying = await asyncpg.connect(dsn)
    transaction = dying.transaction()
    await transaction.start()
    await dying.execute("SELECT pg_advisory_xact_lock($1, hashtext('local'))", admitting_key())
    await dying.execute("UPDATE runs SET status = 'running', reason = NULL WHERE id = $1", UUID(runs[3]["id"]))
    waiting = asyncio.create_task(admit(desk))
    dying.terminate()
    assert await waiting == 1
    assert await statuses(desk, runs) == ["cancelled"] + ["running"] * 3


async def test_the_loops_admit_by_themselves(desk: Desk) -> None:
    runs = await several(desk, 5)
    async with running(loops(desk.deps), desk.deps.metrics):
        for run in runs:
            while (await desk.run(run))["status"] != "completed":
                await desk.work()


async def test_without_a_bound_all_play(dsn: str) -> None:
    async with open_deps(Settings(database_url=dsn)) as deps:
        transport = httpx.ASGITransport(app=create_app(deps.settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            desk = Desk(http=http, deps=deps)
            assert await statuses(desk, runs := await several(desk, 5)) == ["running"] * 3 + ["pending"] * 2
    async with open_deps(Settings(database_url=dsn, runs_at_once=None)) as deps:
        transport = httpx.ASGITransport(app=create_app(deps.settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            desk = Desk(http=http, deps=deps)
            assert await admit(desk) == 2, "those of before too"
            assert await statuses(desk, runs + await several(desk, 1)) == ["running"] * 6


async def test_who_waits_for_people_leaves_the_place_to_others_and_takes_one_again(desk: Desk) -> None:
    waits = await desk.start(crowd(1, turns=2), seats={"s000": {"human": True}})
    assert waits["status"] == "waiting"
    others = await several(desk, 4)
    assert [run["status"] for run in others] == ["running"] * 3 + ["pending"]
    await desk.ok("POST", f"/runs/{waits['id']}/seats/s000/move", {"value": {"action": "I go."}})
    now = await desk.run(waits)
    assert (now["status"], now["open"], now["reason"]["code"]) == ("pending", 0, "waiting_for_place")
    await desk.finish("actor", *[done(event) for event in (await desk.claim("actor"))[:1]])
    await admit(desk)
    now = await desk.run(waits)
    assert (now["status"], now["turn"]) == ("waiting", 2), "the oldest of those that wait goes on first"
    await admit(desk)
    assert sorted(await statuses(desk, others)) == ["completed", "running", "running", "running"]
