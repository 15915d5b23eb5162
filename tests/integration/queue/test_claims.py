"""Claiming: exactly once, in order, by whoever may, and nothing for those who have gone."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.integration.queue.bench import Bench, done, until

from pyscrai_api.deps import open_deps
from pyscrai_api.loops.promote import Promote
from pyscrai_api.queue.claimer import LOOK_AGAIN
from pyscrai_api.queue.plain import Plain
from pyscrai_api.queue.ports import ClaimedRow
from pyscrai_api.queue.store import NewRow, enqueue_step


async def test_eight_pollers_claim_two_thousand_events_exactly_once(bench: Bench) -> None:
    for _ in range(2):
        await bench.post(1000)
    engines = [await bench.engine() for _ in range(8)]

    async def poll(engine: str) -> list[int]:
        mine: list[int] = []
        while events := await bench.claim(engine, 7):
            mine += [event["id"] for event in events]
            assert set(await bench.finish(engine, *[done(event) for event in events])) == {"done"}
        return mine

    by_engine = await asyncio.gather(*[poll(engine) for engine in engines])
    claimed = [event_id for mine in by_engine for event_id in mine]
    assert len(claimed) == len(set(claimed)) == 2000
    pool = bench.deps.pool
    assert await pool.fetchval("SELECT count(*) FROM queue") == 0
    assert await pool.fetchval("SELECT count(*) FROM outcomes WHERE state = 1 AND claims = 1 AND closing = 1") == 2000


async def test_two_processes_share_a_lane_without_meeting(bench: Bench) -> None:
    await bench.post(400)
    mine, theirs = await bench.engine(), await bench.engine()
    async with open_deps(bench.deps.settings) as other:

        async def take(deps: Any, engine: str) -> list[int]:
            found: list[int] = []
            while True:
                gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                async with deps.queue.claimers.claim(
                    ("actor", None), engine_id=UUID(engine), claim_id=uuid4(), most=5, lease_seconds=60, wait=0,
                    gone=gone,
                ) as poll:  # fmt: skip
                    poll.delivered = True
                    if not poll.ids:
                        return found
                    found += poll.ids

        one, two = await asyncio.gather(take(bench.deps, mine), take(other, theirs))
    assert sorted(one + two) == sorted(set(one + two))
    assert len(one + two) == 400


async def test_priority_first_then_order_of_arrival(bench: Bench) -> None:
    low = await bench.post(2, priority=1)
    normal = await bench.post(2)
    high = await bench.post(1, priority=9)
    engine = await bench.engine()
    assert [event["id"] for event in await bench.claim(engine)] == [*high, *normal, *low]


async def test_an_urgent_event_is_found_below_the_mark(bench: Bench) -> None:
    await bench.post(50)
    engine = await bench.engine()
    await bench.claim(engine, 10)
    urgent = await bench.post(1, priority=9)
    assert [event["id"] for event in await bench.claim(engine, 1)] == urgent


async def test_a_run_with_very_many_events_does_not_starve_another(bench: Bench) -> None:
    crowded, small = await bench.run(), await bench.run()
    async with bench.deps.pool.acquire() as conn, conn.transaction():
        for run, count in ((crowded, 3000), (small, 10)):
            rows = [NewRow(ordinal=i, event_type="decide", lane="fair", payload="{}") for i in range(count)]
            await enqueue_step(conn, run, rows, step=1, last_pass=0, owner="local", max_failures=3, max_losses=10)
            await conn.execute("UPDATE runs SET open = $2, step = 1 WHERE id = $1", run, count)
    order = await bench.deps.pool.fetch("SELECT run_id FROM queue ORDER BY rank, pass, id LIMIT 40")
    assert sum(row["run_id"] == small for row in order) == 10


async def test_only_event_types_that_are_asked_for(bench: Bench) -> None:
    await bench.post(1, event_type="one")
    two = await bench.post(1, event_type="two")
    engine = await bench.engine()
    assert [event["id"] for event in await bench.claim(engine, event_types=["two"])] == two
    assert await bench.claim(engine, event_types=["two"]) == []


async def test_capabilities_that_name_event_types_narrow(bench: Bench) -> None:
    other = await bench.post(1, event_type="something")
    named = await bench.post(1, event_type="decide")
    narrow = await bench.engine(capabilities=["decide", "text-generation"])
    wide = await bench.engine(capabilities=["text-generation"])
    assert [event["id"] for event in await bench.claim(narrow)] == named
    assert [event["id"] for event in await bench.claim(wide)] == other


async def test_rows_of_runs_that_do_not_run_are_left_and_held(bench: Bench) -> None:
    standing, running = await bench.run("paused"), await bench.run()
    async with bench.deps.pool.acquire() as conn, conn.transaction():
        for run in (standing, running):
            rows = [NewRow(ordinal=0, event_type="decide", lane="actor", payload="{}", phase="decision", turn=1)]
            await enqueue_step(conn, run, rows, step=1, last_pass=0, owner="local", max_failures=3, max_losses=10)
            await conn.execute("UPDATE runs SET open = 1, step = 1 WHERE id = $1", run)
    engine = UUID(await bench.engine())
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with bench.deps.queue.claimers.claim(
        ("actor", None), engine_id=engine, claim_id=uuid4(), most=10, lease_seconds=60, wait=0, gone=gone
    ) as poll:
        poll.delivered = True
        states = dict(await bench.deps.pool.fetch("SELECT run_id, state FROM queue"))
        assert len(poll.ids) == 1
        assert states == {standing: 2, running: 3}
    assert await Promote(pool=bench.deps.pool, bell=bench.deps.bell).run_once() == 1
    assert dict(await bench.deps.pool.fetch("SELECT run_id, state FROM queue")) == {standing: 5, running: 3}


async def test_a_parked_claim_wakes_when_something_comes(bench: Bench) -> None:
    engine = await bench.engine()
    parked = asyncio.create_task(bench.claim(engine, wait=30))
    await until(lambda: bench.deps.queue.claimers.parked)
    posted = await bench.post()
    assert [event["id"] for event in await parked] == posted


async def test_a_parked_claim_wakes_for_what_another_process_enqueues(bench: Bench) -> None:
    engine = await bench.engine()
    async with open_deps(bench.deps.settings) as other:
        await asyncio.gather(bench.deps.bell.connected.wait(), other.bell.connected.wait())
        heard: list[str] = []
        bench.deps.bell.listen_lanes(lambda lane, _: heard.append(lane))
        parked = asyncio.create_task(bench.claim(engine, wait=30))
        await until(lambda: bench.deps.queue.claimers.parked)
        answer = await other.queue.posting.post("local", [_new()], None, many=False)
        assert answer.status == 201
        assert len(await parked) == 1
        await until(lambda: heard == ["actor"])


async def test_a_parked_claim_finds_work_without_any_bell(bench: Bench) -> None:
    engine = await bench.engine()
    parked = asyncio.create_task(bench.claim(engine, wait=30 * LOOK_AGAIN))
    await until(lambda: bench.deps.queue.claimers.parked)
    async with bench.deps.pool.acquire() as conn:  # as another process would whose NOTIFY got lost
        made = await conn.fetchval(
            "INSERT INTO events (event_type, payload, owner, created_by) VALUES ('prompt', '{}', 'local', 'local') "
            "RETURNING id"
        )
        await conn.execute(
            "INSERT INTO queue (id, lane, event_type, state, rank, pass) VALUES ($1, 'actor', 'prompt', 2, 4, 1)", made
        )
    assert [event["id"] for event in await parked] == [made]


async def test_a_repeated_claim_answers_the_same(bench: Bench) -> None:
    await bench.post(6)
    engine = await bench.engine()
    first = await bench.claim(engine, 3, claim_id="mine")
    again = await bench.claim(engine, 3, claim_id="mine")
    assert [(e["id"], e["lease_no"]) for e in again] == [(e["id"], e["lease_no"]) for e in first]
    assert len(await bench.claim(engine, 10, claim_id=str(uuid4()))) == 3


async def test_a_claim_repeated_while_it_is_parked_joins_it(bench: Bench) -> None:
    engine = await bench.engine()
    claims = [asyncio.create_task(bench.claim(engine, 5, wait=30, claim_id="mine")) for _ in range(3)]
    await until(lambda: bench.deps.queue.claimers.parked == 1 and bench.deps.queue.claimers.waiting == 3)
    posted = await bench.post(2)
    answers = await asyncio.gather(*claims)
    assert all([event["id"] for event in answer] == posted for answer in answers)
    assert {(await bench.row(event_id))["claims"] for event_id in posted} == {1}


async def test_a_claim_larger_than_any_prepared_size_is_filled(bench: Bench) -> None:
    await bench.post(47)
    engine = await bench.engine()
    assert len(await bench.claim(engine, 43)) == 43
    assert len(await bench.claim(engine, 43)) == 4


async def test_what_comes_is_shared_among_those_who_wait(bench: Bench) -> None:
    engines = [await bench.engine() for _ in range(4)]
    parked = [asyncio.create_task(bench.claim(engine, 10, wait=30)) for engine in engines]
    claimers = bench.deps.queue.claimers
    await until(lambda: claimers.parked == 4 and not any(c._asking or c._due for c in claimers._claimers.values()))
    await bench.post(8)
    assert [len(events) for events in await asyncio.gather(*parked)] == [2, 2, 2, 2]


async def test_nothing_is_claimed_for_a_client_that_has_gone(bench: Bench) -> None:
    engine = UUID(await bench.engine())
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    claimers = bench.deps.queue.claimers
    async with claimers.claim(
        ("actor", None), engine_id=engine, claim_id=uuid4(), most=5, lease_seconds=60, wait=30, gone=_later(gone)
    ) as poll:
        assert poll.ids == []
    assert claimers.parked == 0
    # A statement that was under way when it went may still claim, and then gives back.
    await until(lambda: all(claimer.idle for claimer in claimers._claimers.values()))
    (posted,) = await bench.post()
    assert (await bench.row(posted))["claims"] == 0


async def test_a_claim_whose_client_went_before_its_answer_goes_back(bench: Bench) -> None:
    posted = await bench.post(3)
    engine = UUID(await bench.engine())
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with bench.deps.queue.claimers.claim(
        ("actor", None), engine_id=engine, claim_id=uuid4(), most=3, lease_seconds=60, wait=0, gone=gone
    ) as poll:
        assert poll.ids == posted  # and never `delivered`
    await bench.deps.queue.claimers.close()
    rows = [await bench.row(event_id) for event_id in posted]
    assert [(row["state"], row["claims"], row["handbacks"]) for row in rows] == [(2, 1, 1)] * 3
    assert len(await bench.claim(str(engine))) == 3


async def test_an_answer_is_bounded_and_the_rest_goes_back(bench: Bench) -> None:
    posted = await bench.post(25, data={"prompt": "x" * 60_000})
    engine = await bench.engine()
    events = await bench.claim(engine, 25)
    assert 1 <= len(events) < 25
    assert [event["id"] for event in events] == posted[: len(events)]
    first_left = await bench.row(posted[len(events)])
    assert (first_left["state"], first_left["handbacks"], first_left["failures"]) == (2, 1, 0)
    rest = await bench.claim(engine, 25)
    assert [event["id"] for event in rest] == posted[len(events) :]


async def test_a_poison_event_does_not_stop_its_lane(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    posted = await bench.post(3)
    honest = Plain.text

    def text(self: Plain, row: ClaimedRow, *more: Any) -> str:
        if row.id == posted[1]:
            raise RuntimeError("this one cannot be built")
        return honest(self, row, *more)

    monkeypatch.setattr(Plain, "text", text)
    engine = await bench.engine()
    events = await bench.claim(engine)
    assert [event["id"] for event in events] == [posted[0], posted[2]]
    poison = await bench.event(posted[1])
    assert poison["state"] == "dead"
    assert "this one cannot be built" in poison["error"]
    assert await bench.finish(engine, *[done(event) for event in events]) == ["done", "done"]


async def test_a_claim_that_fails_is_an_error_not_an_empty_answer(bench: Bench) -> None:
    await bench.post()
    engine = await bench.engine()
    await bench.deps.pool.execute("ALTER TABLE queue RENAME COLUMN leased_at TO hidden")
    await bench.call("POST", "/events/claim", {"engine_id": engine}, 500)
    await bench.deps.pool.execute("ALTER TABLE queue RENAME COLUMN hidden TO leased_at")
    assert len(await bench.claim(engine)) == 1


async def test_an_engine_claims_its_own_lane_only(bench: Bench) -> None:
    engine = await bench.engine("actor", pool="private")
    posted = await bench.post(engine_type="actor:private")
    assert (
        "registered for the lane"
        in (await bench.call("POST", "/events/claim", {"engine_id": engine, "lane": "narrator"}, 400))["detail"]
    )
    events = await bench.claim(engine, lane="Actor")
    assert [event["id"] for event in events] == posted
    await bench.call("POST", "/events/claim", {"engine_id": str(uuid4())}, 404)


async def test_a_lane_can_be_looked_at_without_taking_anything(bench: Bench) -> None:
    posted = await bench.post(3)
    seen = await bench.call("GET", "/events/queue/ACTOR", None, 200, limit=2)
    assert [(event["id"], event["status"]) for event in seen] == [(i, "queued") for i in posted[:2]]
    assert (await bench.row(posted[0]))["state"] == 2
    (urgent,) = await bench.post(1, priority=9)
    seen = await bench.call("GET", "/events/queue/actor", None, 200)
    assert [event["id"] for event in seen] == [urgent, *posted], "in the order in which they would be claimed"
    assert seen == [await bench.event(event_id) for event_id in (urgent, *posted)], "as they are shown elsewhere"


async def test_parked_claims_end_when_the_service_stops(bench: Bench) -> None:
    engine = await bench.engine()
    parked = asyncio.create_task(bench.claim(engine, wait=60))
    await until(lambda: bench.deps.queue.claimers.parked)
    bench.deps.stopping.set()
    assert await parked == []
    assert await bench.claim(engine, wait=60) == []


def _later(gone: asyncio.Future[None]) -> asyncio.Future[None]:
    """The client goes while its claim is parked."""
    asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(gone.set_result, None))
    return gone


def _new() -> Any:
    from pyscrai.contract.events import NewEvent

    return NewEvent(engine_type="actor", data={"prompt": "x"})
