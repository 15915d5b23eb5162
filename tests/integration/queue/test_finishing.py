"""How leases end: once, by whoever holds them, and repeated answers are the same."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from tests.integration.queue.bench import Bench, back, done, failed, until

from pyscrai_api.loops.sweep import Sweep
from pyscrai_api.queue.store import NewRow, enqueue_step, expire_rows
from pyscrai_api.settings import Settings


@pytest.fixture
def settings(dsn: str) -> Settings:
    return Settings(database_url=dsn, runs_at_once=None, retry_base=40.0)


async def sweep(bench: Bench) -> int:
    now = [0.0]
    loop = Sweep(pool=bench.deps.pool, loose=bench.deps.queue.loose, runs=bench.deps.run_finisher, clock=lambda: now[0])
    assert await loop.run_once() == 0, "engines have the time of a lease first"
    taken = 0
    for now[0] in range(4, 4000, 4):
        taken += await loop.run_once()
        if taken:
            break
    return taken


async def claimed(bench: Bench, **more: Any) -> tuple[str, dict[str, Any]]:
    await bench.post(**more)
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    return engine, event


async def test_a_success_leaves_the_queue_and_may_be_repeated(bench: Bench) -> None:
    engine, event = await claimed(bench)
    assert await bench.finish(engine, done(event)) == ["done"]
    assert await bench.finish(engine, done(event, {"content": "another"})) == ["done"]
    shown = await bench.event(event["id"])
    assert (shown["status"], shown["result"]["content"], shown["attempt"]) == ("completed", "hi", 1)
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM queue") == 0


async def test_a_stale_finish_changes_nothing(bench: Bench) -> None:
    engine, event = await claimed(bench)
    await bench.age(event["id"])
    assert await sweep(bench) == 1
    second = await bench.engine()
    (again,) = await bench.claim(second)
    assert (again["id"], again["lease_no"], again["attempt"]) == (event["id"], 2, 2)
    before = await bench.row(event["id"])
    for item in (done(event), failed(event), back(event), {**done(event), "lease_no": None}):
        assert await bench.finish(engine, item) == ["stale"]
        assert (await bench.call("PUT", f"/events/{event['id']}/status", {**item, "engine_id": engine}, 409))[
            "code"
        ] == "stale_lease"
    assert await bench.finish(engine, {**done(event), "lease_no": 2}) == ["stale"], "the number of another engine"
    assert await bench.row(event["id"]) == before
    assert await bench.finish(second, done(again)) == ["done"]
    assert await bench.finish(engine, done(event)) == ["stale"]


async def test_a_swept_lease_may_still_finish_until_somebody_claims(bench: Bench) -> None:
    engine, event = await claimed(bench)
    await bench.age(event["id"])
    assert await sweep(bench) == 1
    assert (await bench.row(event["id"]))["losses"] == 1
    assert await bench.finish(engine, done(event)) == ["done"]
    assert await bench.finish(engine, done(event)) == ["done"]
    shown = await bench.event(event["id"])
    assert (shown["state"], shown["losses"], shown["attempt"]) == ("succeeded", 0, 1)
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM attempts") == 0
    assert await bench.deps.pool.fetchval("SELECT leased_at IS NOT NULL FROM outcomes")


async def test_a_swept_lease_may_still_fail_and_then_counts_as_a_failure(bench: Bench) -> None:
    engine, event = await claimed(bench)
    await bench.age(event["id"])
    await sweep(bench)
    assert await bench.finish(engine, failed(event)) == ["done"]
    row = await bench.row(event["id"])
    assert (row["state"], row["failures"], row["losses"], row["lost_engine"]) == (1, 1, 0, None)


async def test_failures_wait_longer_each_time_and_end_among_the_dead(bench: Bench) -> None:
    engine, event = await claimed(bench)
    for failures, shortest in ((1, 40), (2, 80)):
        assert await bench.finish(engine, failed(event)) == ["done"]
        assert await bench.finish(engine, failed(event)) == ["done"], "a repeat"
        wait = await bench.deps.pool.fetchval("SELECT extract(epoch FROM run_at - now()) FROM queue")
        assert shortest * 0.9 <= wait <= shortest * 1.25
        shown = await bench.event(event["id"])
        assert (shown["status"], shown["state"], shown["failures"]) == ("retry", "scheduled", failures)
        assert await bench.claim(engine) == []
        await bench.deps.pool.execute("UPDATE queue SET state = 2")
        (event,) = await bench.claim(engine)
        assert event["try"] == failures + 1
    await bench.finish(engine, failed(event, error="the third"))
    shown = await bench.event(event["id"])
    assert (shown["status"], shown["state"], shown["error"]) == ("failed", "dead", "the third")


async def test_retry_after_is_honoured(bench: Bench) -> None:
    engine, event = await claimed(bench)
    await bench.finish(engine, failed(event, retry_after=500))
    assert await bench.deps.pool.fetchval("SELECT run_at > now() + interval '495 s' FROM queue")


async def test_a_permanent_failure_is_dead_at_once_and_can_be_redriven(bench: Bench) -> None:
    engine, event = await claimed(bench)
    await bench.finish(engine, failed(event, permanent=True, code="missing_key", error="no key"))
    dead = await bench.call("GET", "/events/dead", None, 200)
    assert [(item["id"], item["error"]) for item in dead["items"]] == [(event["id"], "no key")]
    assert (await bench.call("POST", f"/events/{event['id']}/retry", None, 200))["state"] == "ready"
    await bench.call("POST", f"/events/{event['id']}/retry", None, 409)
    (again,) = await bench.claim(engine)
    assert again["lease_no"] == 3, "the redrive took a number too, so that late words of the first lease are stale"
    assert await bench.finish(engine, done(event)) == ["stale"]
    assert await bench.finish(engine, done(again)) == ["done"]


async def test_redrive_everything_or_what_is_named_and_discard(bench: Bench) -> None:
    await bench.post(4)
    engine = await bench.engine()
    events = await bench.claim(engine)
    await bench.finish(engine, *[failed(event, permanent=True) for event in events])
    ids = [event["id"] for event in events]
    named = await bench.call("POST", "/events/dead/redrive", {"ids": ids[:1]}, 200)
    assert (named["redriven"], named["matched"], named["next"]) == (ids[:1], 1, None)
    assert (await bench.call("POST", f"/events/{ids[1]}/discard", None, 200))["state"] == "discarded"
    await bench.call("POST", f"/events/{ids[1]}/discard", None, 409)
    assert (await bench.call("POST", "/events/dead/redrive", None, 200))["redriven"] == ids[2:]


async def test_hand_backs_are_not_counted_as_tries(bench: Bench) -> None:
    engine, event = await claimed(bench)
    for _ in range(5):
        assert await bench.finish(engine, back(event)) == ["done"]
        assert await bench.finish(engine, back(event)) == ["done"]
        (event,) = await bench.claim(engine)
    assert (event["try"], event["attempt"]) == (1, 6)


async def test_leases_lost_too_often_are_dead(bench: Bench) -> None:
    engine, event = await claimed(bench)
    await bench.deps.pool.execute("UPDATE queue SET max_losses = 2")
    for state in (2, 6):
        await bench.age(event["id"])
        assert await sweep(bench) == 1
        assert (await bench.row(event["id"]))["state"] == state
        await bench.claim(engine)
    assert "lost 2 times" in (await bench.event(event["id"]))["error"]


async def test_a_batch_answers_each_in_order(bench: Bench) -> None:
    await bench.post(4)
    engine = await bench.engine()
    one, two, three, four = await bench.claim(engine)
    unknown = {**done(one), "event_id": 9_999_999}
    beyond = {**done(one), "event_id": 2**63}
    stale = {**done(two), "lease_no": 7}
    items = [done(one), unknown, stale, failed(three), beyond, done(one), back(four)]
    assert await bench.finish(engine, *items) == ["done", "unknown", "stale", "done", "unknown", "done", "done"]


async def test_a_result_that_does_not_fit_its_event_type_is_a_failure(bench: Bench) -> None:
    (posted,) = await bench.post(event_type="decide", data={})
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    assert event["result_schema"]["required"]
    assert await bench.finish(engine, done(event, {"goals": "none"})) == ["invalid"]
    shown = await bench.event(posted)
    assert (shown["status"], shown["failures"]) == ("retry", 1)
    assert "action" in shown["error"]


async def test_one_invalid_result_by_the_simple_route_is_a_400(bench: Bench) -> None:
    await bench.post(event_type="decide", data={})
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    body = {"status": "completed", "result": {}, "engine_id": engine}
    assert "action" in (await bench.call("PUT", f"/events/{event['id']}/status", body, 400))["detail"]


async def test_results_are_bounded(bench: Bench) -> None:
    engine, event = await claimed(bench)
    large = {"content": "x" * 300_000}
    body = {"status": "completed", "result": large, "engine_id": engine}
    assert (await bench.call("PUT", f"/events/{event['id']}/status", body, 413))["code"] == "too_large"
    assert (await bench.row(event["id"]))["state"] == 3
    assert await bench.finish(engine, done(event, large)) == ["invalid"]


async def test_text_is_cleaned_where_it_enters(bench: Bench) -> None:
    engine, event = await claimed(bench)
    raw = (
        f'{{"engine_id": "{engine}", "events": [{{"event_id": {event["id"]}, "lease_no": 1, "status": "completed", '
        '"result": {"content": "nul \\u0000 and half \\ud83d a pair", "key\\u0000": -0.0}}]}'
    )
    answer = await bench.http.put(
        "/api/v1/events/status", content=raw.encode(), headers={"content-type": "application/json"}
    )
    assert answer.json()["results"][0]["state"] == "done", answer.text
    shown = await bench.event(event["id"])
    assert shown["result"] == {"content": "nul � and half � a pair", "key�": 0}


async def test_a_number_that_json_does_not_have_makes_a_result_invalid(bench: Bench) -> None:
    engine, event = await claimed(bench)
    raw = (
        f'{{"engine_id": "{engine}", "events": [{{"event_id": {event["id"]}, "lease_no": 1, "status": "completed", '
        '"result": {"value": NaN}}]}'
    )
    answer = await bench.http.put(
        "/api/v1/events/status", content=raw.encode(), headers={"content-type": "application/json"}
    )
    assert answer.json()["results"][0]["state"] == "invalid", answer.text


async def test_two_finishes_of_one_lease_at_once_count_once(bench: Bench) -> None:
    for _ in range(20):
        engine, event = await claimed(bench)
        states = await asyncio.gather(*[bench.finish(engine, done(event)) for _ in range(4)])
        assert states == [["done"]] * 4
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM outcomes") == 20


async def test_finish_and_sweep_at_once_end_in_one_way(bench: Bench) -> None:
    engine = await bench.engine()
    for _ in range(30):
        await bench.post()
        (event,) = await bench.claim(engine)
        await bench.age(event["id"])
        results = await asyncio.gather(bench.finish(engine, done(event)), bench.deps.queue.loose.sweep([event["id"]]))
        assert results[0] == ["done"], "nobody has claimed it since, so the finish counts, before the sweep or after"
    assert await bench.deps.pool.fetchval("SELECT sum(losses) FROM outcomes") == 0


async def test_finish_and_cancel_at_once_end_in_one_way(bench: Bench) -> None:
    engine = await bench.engine()
    for _ in range(30):
        await bench.post()
        (event,) = await bench.claim(engine)
        (state,), cancelled = await asyncio.gather(
            bench.finish(engine, done(event)), bench.deps.queue.loose.cancel([event["id"]])
        )
        assert (state == "done") != (cancelled == [event["id"]])
        assert (await bench.event(event["id"]))["state"] == ("succeeded" if state == "done" else "cancelled")


async def test_cancelling_an_event_makes_late_words_stale(bench: Bench) -> None:
    engine, event = await claimed(bench)
    assert (await bench.call("POST", f"/events/{event['id']}/cancel", None, 200))["status"] == "cancelled"
    assert (await bench.call("POST", f"/events/{event['id']}/cancel", None, 200))["status"] == "cancelled"
    assert await bench.finish(engine, done(event)) == ["stale"]
    beat = await bench.call(
        "PUT", f"/engine-instances/{engine}/heartbeat",
        {"leases": [{"event_id": event["id"], "lease_no": event["lease_no"]}]}, 200,
    )  # fmt: skip
    assert (beat["renewed"], beat["lost"], beat["cancel"]) == ([], [event["id"]], [event["id"]])
    other, finished = await claimed(bench)
    await bench.finish(other, done(finished))
    await bench.call("POST", f"/events/{finished['id']}/cancel", None, 409)


async def of_a_run(bench: Bench) -> tuple[UUID, int]:
    """A run made by hand, and its one event, ready."""
    run = await bench.run()
    async with bench.deps.pool.acquire() as conn, conn.transaction():
        rows = [NewRow(ordinal=0, event_type="decide", lane="actor", payload="{}", phase="decision", turn=1)]
        (event_id,), *_ = await enqueue_step(
            conn, run, rows, step=1, last_pass=0, owner="local", max_failures=3, max_losses=10
        )
        await conn.execute("UPDATE runs SET open = 1, step = 1 WHERE id = $1", run)
    return run, event_id


async def test_one_group_that_fails_does_not_keep_the_others_from_finishing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, event_id = await of_a_run(bench)
    engine = await bench.engine()
    (loose,) = await bench.post(priority=9)
    (event,) = await bench.claim(engine, 1)

    async def broken(*_: Any) -> list[Any]:
        raise RuntimeError("the transaction of this run fails")

    monkeypatch.setattr(bench.deps.run_finisher, "finish", broken)
    monkeypatch.setattr(bench.deps.run_finisher, "result_schema", _no_schema)
    body = {"engine_id": engine, "events": [{**done(event), "event_id": event_id}, done(event)]}
    await bench.call("PUT", "/events/status", body, 500)
    assert (await bench.event(loose))["status"] == "completed"


async def test_calls_of_a_run_are_settled_also_where_the_result_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, event_id = await of_a_run(bench)
    engine = await bench.engine()
    settled: list[Any] = []

    async def settle(engine_id: UUID, run_id: UUID, calls: list[Any]) -> None:
        settled.extend((run_id, call.event_id) for call in calls)

    monkeypatch.setattr(bench.deps.run_finisher, "settle", settle)
    call = {"event_id": event_id, "lease_no": 1, "call": 1, "model": "m"}
    body = {"status": "completed", "result": {"x": "y" * 300_000}, "engine_id": engine, "calls": [call]}
    await bench.call("PUT", f"/events/{event_id}/status", body, 413)
    assert settled == [(run, event_id)]


async def test_a_result_that_cannot_be_checked_is_a_failure_and_not_accepted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, event_id = await of_a_run(bench)
    engine = await bench.engine()
    answers = await bench.finish(engine, {"event_id": event_id, "lease_no": 1, "status": "completed", "result": {}})
    assert answers == ["stale"]


async def _no_schema(*_: Any) -> None:
    return None


async def test_a_finish_that_waited_for_a_sweep_takes_its_loss_back(bench: Bench) -> None:
    """The finish's statement begins before the sweep commits, and goes on after it."""
    engine, event = await claimed(bench)
    await bench.age(event["id"])
    async with bench.deps.pool.acquire() as conn:
        sweeping = conn.transaction()
        await sweeping.start()
        assert len(await expire_rows(conn, [event["id"]])) == 1
        finishing = asyncio.create_task(bench.finish(engine, done(event)))
        await until(lambda: _waits_for_a_lock(bench))
        await sweeping.commit()
    assert await finishing == ["done"]
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM attempts") == 0
    shown = await bench.event(event["id"])
    assert (shown["losses"], shown["failures"]) == (0, 0)


async def _waits_for_a_lock(bench: Bench) -> bool:
    found: int = await bench.deps.pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return found > 0


async def test_heartbeats_and_mixed_batches_never_lock_each_other_out(bench: Bench) -> None:
    engine = await bench.engine()
    for _ in range(25):
        await bench.post(6)
        events = await bench.claim(engine, 6)
        items = [done(events[4]), done(events[1]), failed(events[0]), failed(events[5]), back(events[2])]
        leases = [{"event_id": event["id"], "lease_no": event["lease_no"]} for event in reversed(events)]
        beat = f"/engine-instances/{engine}/heartbeat"
        states, *_ = await asyncio.gather(
            bench.finish(engine, *items),
            *[bench.call("PUT", beat, body, 200) for body in ({"leases": leases}, {}, {"leases": leases}, {})],
        )
        assert states == ["done"] * 5
        await bench.deps.pool.execute("UPDATE queue SET run_at = run_at + interval '1 day' WHERE state = 1")
