"""Sweeps over a real database: every run is started once, whoever starts it, and nothing stops the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from tests.integration.runs.desk import Desk, crowd, done, failed, money, settled, talks

from pyscrai.contract.batches import NewBatch
from pyscrai.domain.sweeps import Sweep
from pyscrai_api.batches import reading, starting
from pyscrai_api.deps import open_deps
from pyscrai_api.errors import NotFound
from pyscrai_api.settings import Settings

GRID = {"turns": [1, 2], "regulator.private": ["we will settle", "we will not"]}


async def posted(desk: Desk, content: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    name = await desk.scenario(content or crowd(1))
    body = {"config": {"name": "sweep", "scenario": name, **config}}
    batch: dict[str, Any] = await desk.ok("POST", "/batches", body)
    return batch


async def begin(desk: Desk) -> int:
    return await desk.deps.batches.starting.run_once()


async def played(desk: Desk, name: str = "sweep") -> dict[str, Any]:
    """Start and play until nothing is left to do."""
    while await begin(desk) or await desk.work():
        pass
    batch: dict[str, Any] = await desk.ok("GET", f"/batches/{name}")
    return batch


async def rows_of(desk: Desk, query: str, *args: Any) -> list[tuple[Any, ...]]:
    async with desk.deps.pool.acquire() as conn:
        return [tuple(row.values()) for row in await conn.fetch(query, *args)]


async def test_a_grid_is_played_once_for_each_seed(desk: Desk) -> None:
    batch = await posted(desk, talks(), vary={"turns": [1, 2], "union.private": ["much", "little"]}, seeds=3)
    assert (batch["status"], batch["runs"], batch["variations"]) == ("running", 12, 4)
    assert batch["counts"] == {"planned": 12}
    ended = await played(desk)
    assert (ended["status"], ended["counts"], ended["ended"]) == ("done", {"completed": 12}, 12)
    told = await desk.ok("GET", "/batches/sweep/results")
    rows = told["rows"]
    assert [row["place"] for row in rows] == list(range(1, 13))
    assert Counter((row["varied"]["turns"], row["varied"]["union.private"]) for row in rows) == {
        (turns, private): 3 for turns in (1, 2) for private in ("much", "little")
    }
    assert [row["seed"] for row in rows[:3]] == [0, 1, 2]
    assert {row["turns"] for row in rows if row["varied"]["turns"] == 2} == {2}
    first, third = told["variations"][0], told["variations"][2]
    assert (first["completed"], first["metrics"]["trust"]["mean"], first["metrics"]["trust"]["change"]) == (
        3,
        0.25,
        None,
    )
    assert third["metrics"]["trust"]["mean"] == 0.5
    assert third["metrics"]["trust"]["change"] == 0.25
    assert first["outcomes"][0] | {"interval": None} == {
        "value": "turn_limit", "n": 3, "of": 3, "share": 1.0, "interval": None,
    }  # fmt: skip
    private = await rows_of(desk, "SELECT choices -> 'edits' -> 'union' ->> 'private' FROM runs ORDER BY id")
    assert Counter(value for (value,) in private) == {"much": 6, "little": 6}


async def test_at_most_so_many_play_at_once(desk: Desk) -> None:
    await posted(desk, seeds=5, at_once=2)
    assert await begin(desk) == 2
    assert await begin(desk) == 0
    (event, other) = await desk.claim("actor")
    await desk.finish("actor", done(event))
    assert await begin(desk) == 1
    assert (await desk.ok("GET", "/batches/sweep"))["counts"] == {"completed": 1, "running": 2, "planned": 2}
    await desk.finish("actor", done(other))
    assert (await played(desk))["status"] == "done"


async def test_two_processes_start_each_run_once(desk: Desk, dsn: str) -> None:
    """Both look at the same time, again and again, while engines finish runs."""
    async with open_deps(Settings(database_url=dsn, runs_at_once=None)) as second:
        await posted(desk, seeds=40, at_once=7)
        while (await desk.ok("GET", "/batches/sweep"))["status"] != "done":
            await asyncio.gather(
                *[desk.deps.batches.starting.run_once() for _ in range(3)],
                *[second.batches.starting.run_once() for _ in range(3)],
                desk.work(),
            )
            playing = await rows_of(desk, "SELECT count(*) FROM runs WHERE status = 'running'")
            assert playing[0][0] <= 7
    assert await rows_of(desk, "SELECT count(*), count(DISTINCT seed) FROM runs") == [(40, 40)]


async def test_who_dies_between_start_and_note_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection dies just before the commit that starts a run."""
    await posted(desk, seeds=1)
    real = desk.deps.runs.start_in

    async def dying(conn: Any, *args: Any) -> Any:
        begun = await real(conn, *args)
        await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return begun

    monkeypatch.setattr(desk.deps.runs, "start_in", dying)
    with pytest.raises(Exception, match=r"terminat|clos"):
        await begin(desk)
    assert await rows_of(desk, "SELECT count(*) FROM runs") == [(0,)]
    monkeypatch.setattr(desk.deps.runs, "start_in", real)
    assert (await played(desk))["counts"] == {"completed": 1}
    assert await rows_of(desk, "SELECT count(*), count(batch_id) FROM runs") == [(1, 1)]


async def test_a_run_that_fails_does_not_stop_the_others(desk: Desk) -> None:
    await posted(desk, seeds=3, choices={"max_failures": 1})
    await begin(desk)
    (event, *_) = await desk.claim("actor")
    await desk.finish("actor", failed(event, permanent=True))
    # The other leases are this engine's own: it finishes them.
    for other in _:
        await desk.finish("actor", done(other))
    batch = await played(desk)
    assert (batch["status"], batch["counts"]) == ("done", {"completed": 2, "failed": 1})
    told = await desk.ok("GET", "/batches/sweep/results")
    assert (told["variations"][0]["completed"], told["variations"][0]["failed"]) == (2, 1)
    assert next(row for row in told["rows"] if row["status"] == "failed")["error"]


async def test_the_same_again_is_the_same_batch_and_another_is_refused(desk: Desk) -> None:
    batch = await posted(desk, seeds=2)
    assert (await posted(desk, seeds=2))["id"] == batch["id"]
    problem = await desk.refused("POST", "/batches", {"config": {"name": "sweep", "scenario": "crowd", "seeds": 3}})
    assert (problem["status"], "name of its own" in problem["detail"]) == (409, True)
    await played(desk)
    again = await posted(desk, seeds=2)
    assert (again["status"], again["ended"]) == ("done", 2)
    assert await rows_of(desk, "SELECT count(*) FROM runs") == [(2,)]


async def test_what_means_nothing_is_refused_with_its_place(desk: Desk) -> None:
    name = await desk.scenario(talks())

    async def pointer(**config: Any) -> str:
        body = {"config": {"name": "sweep", "scenario": name, **config}}
        return str((await desk.refused("POST", "/batches", body))["errors"][0]["pointer"])

    assert await pointer(vary={"mayor.model": ["rehearsal"]}) == "/config/vary/mayor.model"
    assert await pointer(vary={"union.hat": ["red"]}) == "/config/vary/union.hat"
    assert await pointer(vary={"turns": [1, 2], "seed": [1]}) == "/config/vary/seed"
    assert await pointer(seeds=0) == "/config/seeds"
    assert await pointer(vary={"union.goals": [3]}) == "/choices/edits/union/goals"
    assert await rows_of(desk, "SELECT count(*) FROM batches") == [(0,)]


async def test_pause_stops_all_and_resume_goes_on_elsewhere(desk: Desk) -> None:
    await posted(desk, seeds=4, at_once=2)
    await begin(desk)
    paused = await desk.ok("POST", "/batches/sweep/pause")
    assert (paused["status"], paused["counts"]) == ("paused", {"paused": 2, "planned": 2})
    assert await begin(desk) == 0
    gone_on = await desk.ok("POST", "/batches/sweep/resume", {"pool": "mine", "move": True})
    assert (gone_on["status"], gone_on["pool"]) == ("running", "mine")
    while await begin(desk) or await desk.work(("actor:mine",)):
        pass
    assert (await desk.ok("GET", "/batches/sweep"))["counts"] == {"completed": 4}
    assert await rows_of(desk, "SELECT DISTINCT pool FROM runs") == [("mine",)]


async def test_cancel_ends_what_plays_and_starts_nothing_more(desk: Desk) -> None:
    await posted(desk, seeds=4, at_once=2)
    await begin(desk)
    ended = await desk.ok("POST", "/batches/sweep/cancel")
    assert (ended["status"], ended["counts"]) == ("cancelled", {"cancelled": 2, "planned": 2})
    assert await begin(desk) == 0
    assert (await desk.refused("POST", "/batches/sweep/resume"))["status"] == 409


async def test_the_budget_is_for_all_of_them_together(desk: Desk) -> None:
    """Each call is reserved at 0.0012 and costs 0.0002; the budget has room for one reservation."""
    prices = {"gpt-4o-mini": {"input": "1", "output": "2"}}
    choices = {"model": "gpt-4o-mini", "prices": prices, "limit": "1"}
    await posted(desk, seeds=3, at_once=1, choices=choices, budget="0.00135")
    spent = Decimal(0)
    for _ in range(3):
        if not await begin(desk):
            break
        (event,) = await desk.claim("actor")
        (grant,) = await desk.reserve("actor", event)
        if grant["state"] != "granted":
            break
        await desk.finish("actor", done(event), calls=[settled(event)])
        spent += Decimal("0.0002")
    batch = await desk.ok("GET", "/batches/sweep")
    assert batch["counts"] == {"completed": 1, "paused": 1, "planned": 1}
    assert (money(batch["spent"]), money(batch["left"])) == (spent, Decimal("0.00115"))
    assert "ran out of money" in batch["waits_for"]
    assert await begin(desk) == 0
    more = await desk.ok("POST", "/batches/sweep/resume", {"budget": "1"})
    assert money(more["budget"]) == 1
    again = await posted(desk, seeds=3, at_once=1, choices=choices, budget="0.00135")
    limits = {one["name"]: one["limit"] for one in await desk.ok("GET", "/limits") if one["scope"] == "group"}
    assert (again["id"], money(again["budget"]), money(limits["sweep"])) == (batch["id"], Decimal(1), Decimal(1)), (
        "it keeps the new one"
    )
    assert (await played(desk))["counts"] == {"completed": 3}


async def test_batches_of_somebody_who_is_removed_start_nothing_more(desk: Desk) -> None:
    await desk.ok("POST", "/templates/scenarios", {"name": "crowd", "content": crowd(1), "visibility": "shared"})
    await desk.ok("POST", "/users", {"name": "ada"})
    wanted = NewBatch(config=Sweep(name="hers", scenario="crowd", seeds=3, at_once=1))
    await desk.deps.batches.create(wanted, "ada", False)
    assert await begin(desk) == 1
    await desk.ok("DELETE", "/users/ada")
    assert await begin(desk) == 0
    assert await rows_of(desk, "SELECT b.status, r.status FROM batches b JOIN runs r ON r.batch_id = b.id") == [
        ("paused", "paused")
    ]


async def test_a_key_sent_twice_is_one_batch(desk: Desk) -> None:
    name = await desk.scenario(crowd(1))
    body = {"config": {"name": "sweep", "scenario": name}}
    answers = [await desk.http.post("/api/v1/batches", json=body, headers={"idempotency-key": "one"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert answers[0].json()["id"] == answers[1].json()["id"]
    other = await desk.http.post("/api/v1/batches", json=body, headers={"idempotency-key": "two"})
    assert other.status_code == 200


async def test_others_neither_see_nor_touch_it(desk: Desk) -> None:
    batch = await posted(desk)
    async with desk.deps.pool.acquire() as conn:
        assert (await reading.page(conn, "ada", None, 10)).items == []
        for wanted in (batch["id"], "sweep"):
            with pytest.raises(NotFound):
                await reading.find(conn, "ada", wanted)


async def test_batches_that_have_no_room_do_not_keep_later_ones_from_starting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "LOOKED_AT", 1)
    await posted(desk, name="first", seeds=3, at_once=1)
    await posted(desk, name="second", seeds=3, at_once=1)
    for _ in range(3):
        await begin(desk)
    counts = [(await desk.ok("GET", f"/batches/{name}"))["counts"] for name in ("first", "second")]
    assert counts == [{"running": 1, "planned": 2}] * 2
