"""A lane that is full takes no new work; what is there goes on, also in a flood of producers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest
from tests.integration.queue.bench import Bench, done, until
from tests.integration.runs.desk import crowd

from pyscrai.client.api import Api
from pyscrai.client.errors import QueueFull
from pyscrai.client.http import Http
from pyscrai.contract.events import NewEvent
from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.errors import QueueFull as Refused
from pyscrai_api.queue.filling import FAR, Filling
from pyscrai_api.runs.places import lock_owner
from pyscrai_api.settings import Settings

MOST = 20
WAITING = """
SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE NOT granted AND datname = current_database()
"""
NEW = {"engine_type": "actor", "data": {"prompt": "hello"}}


@pytest.fixture
async def bench(settings: Settings) -> AsyncIterator[Bench]:
    """Few events may wait, and there are few connections."""
    settings = replace(settings, most_queued=MOST, pool_size=4)
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as http:
            yield Bench(http=http, deps=deps)


async def refused(bench: Bench, path: str = "/events", body: Any = None) -> httpx.Response:
    answer = await bench.http.post(f"/api/v1{path}", json=NEW if body is None else body)
    assert answer.status_code == 429, answer.text
    return answer


def later(bench: Bench) -> None:
    """As if the last count of each lane was long ago."""
    for fill in bench.deps.queue.entrance.filling.lanes.values():
        fill.at -= 100


async def test_a_full_lane_says_how_full_and_when_to_come_again(bench: Bench) -> None:
    await bench.post(MOST - 5)
    await bench.post(5, scheduled_for="2031-01-31T12:00:00Z")
    answer = await refused(bench)
    problem = answer.json()
    assert (problem["code"], problem["lane"], problem["depth"], problem["limit"]) == ("queue_full", "actor", MOST, MOST)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    await bench.post(1, engine_type="other")
    await refused(bench, body=[NEW])
    assert (await bench.http.post("/api/v1/events", json=NEW, headers={"Idempotency-Key": "k"})).status_code == 429
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM queue WHERE lane = 'actor'") == MOST


async def test_a_batch_has_to_fit_as_a_whole(bench: Bench) -> None:
    await bench.post(MOST - 2)
    await refused(bench, body=[NEW] * 3)
    await bench.post(2)
    assert (await refused(bench, body=[NEW] * MOST)).headers["retry-after"]


@pytest.mark.parametrize("key", [None, "once"])
async def test_a_batch_that_no_empty_lane_would_take_is_too_large(bench: Bench, key: str | None) -> None:
    """To wait and come again would be of no use: it is not told to."""
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await bench.http.post("/api/v1/events", json=[NEW] * (MOST + 1), headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (413, "too_large")
    assert f"takes {MOST}: send smaller batches" in problem["detail"]
    assert "retry-after" not in answer.headers
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM queue") == 0
    few = [NEW] * (MOST // 2)
    assert (await bench.http.post("/api/v1/events", json=few, headers=headers)).status_code == 201


async def test_what_is_there_is_claimed_and_finished_and_makes_room(bench: Bench) -> None:
    await bench.post(MOST)
    await refused(bench)
    engine = await bench.engine()
    events = await bench.claim(engine, 5)
    assert set(await bench.finish(engine, *[done(event) for event in events])) == {"done"}
    later(bench)
    await bench.post(5)
    later(bench)
    await refused(bench)


async def test_no_run_begins_in_a_full_lane_but_runs_that_play_go_on(bench: Bench) -> None:
    await bench.call("POST", "/templates/scenarios", crowd(2, 2), 201)
    run = await bench.call("POST", "/runs", {"scenario": "crowd"}, 201)
    later(bench)
    await bench.post(MOST - 2)
    await refused(bench, "/runs", {"scenario": "crowd"})
    steps = "SELECT max(step) FROM events WHERE run_id = $1"
    engine = await bench.engine()
    before = await bench.deps.pool.fetchval(steps, run["id"])

    async def stepped() -> bool:
        for event in await bench.claim(engine, 5):
            answer = {"reasoning": "r", "goals": ["g"], "action": "a"} if event["run_id"] else None
            await bench.finish(engine, done(event, answer))
        return bool(await bench.deps.pool.fetchval(steps, run["id"]) > before)

    later(bench)
    await until(stepped)


async def test_several_processes_together_stay_near_the_limit(bench: Bench) -> None:
    async with open_deps(bench.deps.settings) as other:
        posts = [bench.deps.queue.posting, other.queue.posting]
        new = [NewEvent.model_validate(NEW)]

        async def post(number: int) -> bool:
            try:
                await posts[number % 2].post("local", new, None, many=True)
            except Refused:
                return False
            return True

        made = sum([await post(number) for number in range(4 * MOST)])
    assert MOST <= made <= 2 * MOST, "each may have filled up what was free when it counted"


async def test_a_lane_is_counted_rarely(bench: Bench) -> None:
    counts: list[str] = []

    class Counting:
        async def fetchval(self, _text: str, lane: str, _most: int) -> int:
            counts.append(lane)
            return 3

    now = [0.0]
    filling, conn = Filling(bench.deps.pool, 100, lambda: now[0]), Counting()

    async def bring() -> None:
        with filling.bringing() as brought:
            await brought.admit(conn, {"actor": 1})

    for _ in range(40):
        await bring()
    assert counts == ["actor"]
    assert filling.lanes["actor"].depth == 43
    with filling.bringing() as brought:
        assert brought.admits({"actor": 57})
        assert not brought.admits({"actor": 1})
    with pytest.raises(Refused, match="wait in the lane"):
        await bring()
    assert counts == ["actor"], "it was counted just now"
    now[0] += FAR
    await bring()
    assert counts == ["actor", "actor"]
    assert filling.lanes["actor"].drain == pytest.approx(97 / FAR)


async def test_what_is_not_committed_yet_is_not_forgotten_by_a_count(bench: Bench) -> None:
    filling, pool = bench.deps.queue.entrance.filling, bench.deps.pool
    async with pool.acquire() as conn:
        with filling.bringing() as first:
            await first.admit(conn, {"actor": MOST})
            later(bench)
            with pytest.raises(Refused), filling.bringing() as second:
                await second.admit(conn, {"actor": 1})
        later(bench)
        with filling.bringing() as third:
            await third.admit(conn, {"actor": MOST})


async def test_a_flood_of_producers_leaves_connections_to_consumers(bench: Bench) -> None:
    """They wait for a lock here, all that may; claims and finishes go on meanwhile."""
    await bench.post(5)
    engine = await bench.engine()
    pool = bench.deps.pool
    holder = await pool.acquire()
    lock = holder.transaction()
    await lock.start()
    await holder.execute("SELECT nextval('events_id_seq')")
    await holder.execute("LOCK TABLE idempotency IN EXCLUSIVE MODE")
    flood = [
        asyncio.create_task(bench.http.post("/api/v1/events", json=NEW, headers={"Idempotency-Key": str(n)}))
        for n in range(12)
    ]
    try:
        await until(lambda: holder.fetchval(WAITING))
        events = await bench.claim(engine, 5)
        assert len(events) == 5
        assert set(await bench.finish(engine, *[done(event) for event in events])) == {"done"}
        assert not any(task.done() for task in flood)
    finally:
        await lock.rollback()
        await pool.release(holder)
    assert {answer.status_code for answer in await asyncio.gather(*flood)} == {201}


async def test_a_flood_of_runs_leaves_connections_to_consumers(bench: Bench) -> None:
    """Who starts runs waits for the lock of their owner, with a connection."""
    await bench.call("POST", "/templates/scenarios", crowd(2, 2), 201)
    await bench.post(5)
    engine = await bench.engine()
    other = await asyncpg.connect(bench.deps.settings.database_url)
    lock = other.transaction()
    await lock.start()
    await lock_owner(other, "local")
    flood = [asyncio.create_task(bench.http.post("/api/v1/runs", json={"scenario": "crowd"})) for _ in range(8)]
    try:
        await until(lambda: other.fetchval(WAITING))
        events = await bench.claim(engine, 5)
        assert set(await bench.finish(engine, *[done(event) for event in events])) == {"done"}
        assert not any(task.done() for task in flood)
    finally:
        await lock.rollback()
        await other.close()
    assert {answer.status_code for answer in await asyncio.gather(*flood)} == {201}


async def test_the_client_waits_for_room_and_says_so(bench: Bench) -> None:
    await bench.post(MOST)
    transport = httpx.ASGITransport(app=create_app(bench.deps.settings, bench.deps), client=("127.0.0.1", 1))
    new = NewEvent.model_validate(NEW)
    async with Api(Http("http://127.0.0.1:8000", transport=transport)) as api:
        with pytest.raises(QueueFull) as caught:
            await api.post_event(new, patience=0)
        assert caught.value.retry_after is not None
        said: list[float] = []

        async def tell_and_make_room() -> None:
            await until(lambda: said)
            await bench.deps.pool.execute("UPDATE queue SET lane = 'elsewhere'")
            later(bench)

        fill = bench.deps.queue.entrance.filling.lanes["actor"]
        fill.drain = 1000.0  # so the wait is a second
        making = asyncio.create_task(tell_and_make_room())
        event = await api.post_event(new, patience=60, told=lambda _, seconds: said.append(seconds))
        await making
    assert event.id
    assert said == [1.0]
