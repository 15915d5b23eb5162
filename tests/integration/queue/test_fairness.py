"""Who gets how much of a lane, counted in events that are claimed before: no time is measured.

Claims go through a lane by (rank, pass, id), which test_claims.py and the model see to.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tests.integration.queue.bench import Bench

from pyscrai.contract.events import NewEvent
from pyscrai_api.queue.fairness import Fairness, Lasts, Seen, Stream
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.store import NewRow, enqueue_step
from pyscrai_api.settings import Settings

LARGE, SMALL, BATCH = 3000, 10, 10
LANE, RANK = "actor", 4
STEPS = count(1)


async def enqueue(
    bench: Bench, run: UUID, events: int, fairness: Fairness, *, owner: str = "local", last: int = 0
) -> tuple[set[int], int]:
    """Events of a run, as a step puts them into the queue. Returns them, and the run's last pass."""
    rows = [NewRow(ordinal=n, event_type="prompt", lane=LANE, payload='{"prompt":"hello"}') for n in range(events)]
    async with bench.deps.pool.acquire() as conn, conn.transaction():
        ids, last, _ = await enqueue_step(
            conn,
            run,
            rows,
            step=next(STEPS),
            last_pass=last,
            owner=owner,
            max_failures=3,
            max_losses=10,
            fairness=fairness,
        )
        await conn.execute("UPDATE runs SET last_pass = $2 WHERE id = $1", run, last)
    return set(ids), last


async def run_of(bench: Bench, owner: str) -> UUID:
    run = await bench.run()
    await bench.deps.pool.execute("UPDATE runs SET owner = $2 WHERE id = $1", run, owner)
    return run


async def order(bench: Bench) -> list[int]:
    """The ready events of the lane as claims take them."""
    rows = await bench.deps.pool.fetch(
        "SELECT id FROM queue WHERE lane = $1 AND state = 2 ORDER BY rank, pass, id", LANE
    )
    return [row["id"] for row in rows]


async def serve(bench: Bench, events: int) -> None:
    """The first events of the lane are done."""
    await bench.deps.pool.execute("DELETE FROM queue WHERE id = ANY($1)", (await order(bench))[:events])


async def claimed_until(bench: Bench, wanted: set[int]) -> int:
    """How many events are claimed until all of these are."""
    return 1 + max(place for place, event in enumerate(await order(bench)) if event in wanted)


@pytest.fixture(autouse=True)
async def swept(bench: Bench) -> AsyncIterator[None]:
    """What is put into the queue here has no story."""
    yield
    await bench.deps.pool.execute("TRUNCATE events, queue, runs CASCADE")


async def test_a_short_run_behind_a_long_one(bench: Bench) -> None:
    fairness = Fairness()
    await enqueue(bench, await bench.run(), LARGE, fairness)
    small, _ = await enqueue(bench, await bench.run(), SMALL, fairness)
    assert await claimed_until(bench, small) <= 2 * SMALL + BATCH


@pytest.mark.parametrize("by", ["run", "owner"])
async def test_a_short_run_in_the_middle_of_a_long_one(bench: Bench, by: str) -> None:
    fairness = Fairness("owner" if by == "owner" else "run")
    await enqueue(bench, await run_of(bench, "ada"), LARGE, fairness)
    await serve(bench, 500)
    small, _ = await enqueue(bench, await run_of(bench, "bob"), SMALL, fairness)
    assert await claimed_until(bench, small) <= 2 * SMALL + BATCH


async def test_an_owner_of_many_runs_gets_what_an_owner_of_one_gets(bench: Bench) -> None:
    fairness = Fairness("owner")
    many = [await run_of(bench, "ada") for _ in range(20)]
    for run in many:
        await enqueue(bench, run, 150, fairness, owner="ada")
    small, _ = await enqueue(bench, await run_of(bench, "bob"), SMALL, fairness, owner="bob")
    assert await claimed_until(bench, small) <= 2 * SMALL + BATCH


async def test_by_run_an_owner_of_many_runs_gets_much(bench: Bench) -> None:
    """The same with the default: each run is served as often as the others. So the test above can fail."""
    fairness = Fairness()
    for _ in range(20):
        await enqueue(bench, await run_of(bench, "ada"), 150, fairness, owner="ada")
    small, _ = await enqueue(bench, await run_of(bench, "bob"), SMALL, fairness, owner="bob")
    assert await claimed_until(bench, small) > 10 * SMALL


async def test_runs_of_one_owner_share_evenly_also_by_owner(bench: Bench) -> None:
    fairness = Fairness("owner")
    first, second = await run_of(bench, "ada"), await run_of(bench, "ada")
    await enqueue(bench, first, LARGE, fairness, owner="ada")
    small, _ = await enqueue(bench, second, SMALL, fairness, owner="ada")
    assert await claimed_until(bench, small) <= 2 * SMALL + BATCH


async def test_events_without_a_run_are_one_more_key_of_their_owner(bench: Bench) -> None:
    fairness = Fairness("owner")
    run = await run_of(bench, "ada")
    loose = set(await post(bench, fairness, "ada", 400))
    await enqueue(bench, run, 400, fairness, owner="ada")
    bob, _ = await enqueue(bench, await run_of(bench, "bob"), 100, fairness, owner="bob")
    first = (await order(bench))[:210]
    assert abs(len(bob & set(first)) - 100) <= 12, "half of the lane is bob's"
    assert len(loose & set(first)) > 20


async def test_a_thousand_posted_events_do_not_stand_before_a_run(bench: Bench) -> None:
    posted = set(await bench.post(1000))
    fairness: Fairness = bench.deps.queue.posting._fairness
    small, _ = await enqueue(bench, await bench.run(), SMALL, fairness)
    assert await claimed_until(bench, small) <= 2 * SMALL + BATCH
    assert posted


async def test_posts_of_one_owner_stay_in_their_order(bench: Bench) -> None:
    ids = [number for _ in range(5) for number in await bench.post(3)]
    assert await order(bench) == ids


async def test_events_to_come_do_not_hold_up_their_owner(bench: Bench) -> None:
    await bench.post(1)
    await bench.post(500, scheduled_for="2031-01-31T12:00:00Z")
    (mine,) = await bench.post(1)
    row = await bench.row(mine)
    assert row["pass"] == 2


async def test_the_time_of_an_empty_lane_does_not_go_back(bench: Bench) -> None:
    """A run with a long history is not put behind newcomers for as long as its history is."""
    fairness = Fairness()
    old = await bench.run()
    ids, last = await enqueue(bench, old, 1, fairness, last=5000)
    await serve(bench, len(ids))
    newcomers, _ = await enqueue(bench, await bench.run(), LARGE, fairness)
    again, _ = await enqueue(bench, old, SMALL, fairness, last=last)
    assert await claimed_until(bench, again) <= 2 * SMALL + BATCH
    assert newcomers


async def test_nor_after_a_restart(bench: Bench) -> None:
    old = await bench.run()
    ids, last = await enqueue(bench, old, 1, Fairness(), last=5000)
    await serve(bench, len(ids))
    fairness = Fairness()
    await enqueue(bench, await bench.run(), LARGE, fairness)
    again, _ = await enqueue(bench, old, SMALL, fairness, last=last)
    assert await claimed_until(bench, again) <= 2 * SMALL + BATCH


async def test_an_enqueue_does_not_walk_dead_entries(bench: Bench) -> None:
    """Under a held snapshot, with a lane that has been served and is empty, and with one that is not."""
    fairness = Fairness()
    run = await bench.run()
    holder = await asyncpg.connect(bench.deps.settings.database_url)
    async with holder.transaction(isolation="repeatable_read"):
        await holder.fetchval("SELECT count(*) FROM queue")
        last = 0
        for _ in range(20):
            _, last = await enqueue(bench, run, 3000, fairness, last=last)
        await bench.deps.pool.execute("DELETE FROM queue WHERE pass <= $1", last)
        async with bench.deps.pool.acquire() as conn:
            walked = await pages(conn, run, Fairness())
            await pages(conn, run, fairness)
            await enqueue(bench, await bench.run(), 1, fairness)
            empty = await pages(conn, run, fairness)
            await bench.deps.pool.execute("DELETE FROM queue")
            again = await pages(conn, run, fairness)
    await holder.close()
    assert walked > 200, "the entries are there"
    assert max(empty, again) < 60, (walked, empty, again)


async def pages(conn: asyncpg.pool.PoolConnectionProxy, run: UUID, fairness: Fairness) -> int:
    """The pages that enqueuing one event of a new run touches; it is undone."""
    places = fairness.places("local", [(LANE, RANK)])
    columns: Sequence[Any] = ([0], ["prompt"], [LANE], [None], [None], [None], ["{}"], [5], [2])
    arguments = (run, next(STEPS), 0, "local", *columns, 3, 10, *places, False)
    work = conn.transaction()
    await work.start()
    try:
        text = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql('enqueue', 'step')}"
        plan = json.loads(await conn.fetchval(text, *arguments))[0]["Plan"]
    finally:
        await work.rollback()
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def post(bench: Bench, fairness: Fairness, owner: str, events: int) -> list[int]:
    """Events without a run, posted in one request."""
    from pyscrai_api.queue.posting import Posting

    queue = bench.deps.queue
    posting = Posting(bench.deps.bell, queue.entrance, fairness, queue.posting._line)
    new = [NewEvent.model_validate({"engine_type": LANE, "data": {"prompt": "hello"}})] * events
    answer = await posting.post(owner, new, None, many=True)
    return [event["id"] for event in json.loads(answer.body)]


# ── what a process remembers ──


def test_the_floor_only_grows_and_the_top_too() -> None:
    fairness = Fairness()
    fairness.saw(LANE, RANK, Seen(low=7, found=True, first=9, last=12))
    fairness.saw(LANE, RANK, Seen(low=3, found=True, first=4, last=5))
    level = fairness.level(LANE, RANK)
    assert (level.floor, level.top) == (7, 12)
    fairness.heard(LANE, (RANK, 20, 1))
    fairness.heard("unknown", (RANK, 20, 1))
    fairness.heard(LANE, None)
    assert fairness.level(LANE, RANK).top == 20
    assert fairness.level("unknown", RANK).top is None


def test_those_who_ask_meanwhile_go_on_behind() -> None:
    fairness, stream = Fairness(), Stream("ada", LANE, RANK)
    assert fairness.take(stream, 10, 0) == Lasts(0, 0)
    assert fairness.take(stream, 5, 0) == Lasts(10, 0)
    fairness.gave(stream, Lasts(10, 0), None)
    fairness.gave(stream, Lasts(5, 0), Lasts(15, 0))
    assert fairness.lasts(stream) == Lasts(15, 0)


def test_what_is_remembered_is_bounded() -> None:
    fairness = Fairness(most=3)
    for number in range(10):
        fairness.saw(f"lane{number}", RANK, Seen(low=5, found=True, first=6, last=6))
        fairness.take(Stream("ada", f"lane{number}", RANK), 5, 0)
    assert fairness.level("lane0", RANK).top is None
    assert fairness.lasts(Stream("ada", "lane0", RANK)) == Lasts(0, 0)
    assert fairness.level("lane9", RANK).top == 6


def test_fair_by_is_a_setting(settings: Settings) -> None:
    assert Settings.read({"PYSCRAI_FAIR_BY": "owner"}).fair_by == "owner"
    assert replace(settings).fair_by == "run"
