"""Posting and reading events."""

from __future__ import annotations

from typing import Any

from tests.integration.queue.bench import Bench, done, failed

from pyscrai_api.queue import events as module


async def test_one_event_its_lane_from_the_catalog_or_named(bench: Bench) -> None:
    made = await bench.call("POST", "/events", {"event_type": "decide", "data": {}}, 201)
    assert (made["lane"], made["status"], made["priority"]) == ("actor", "queued", 5)
    named = await bench.call("POST", "/events", {"engine_type": "Narrator", "data": {"prompt": "a scene"}}, 201)
    assert (named["lane"], named["event_type"]) == ("narrator", "prompt")
    own = await bench.call("POST", "/events", {"lane": "my-lane", "event_type": "anything", "payload": {"x": 1}}, 201)
    assert (own["lane"], own["data"]) == ("my-lane", {"x": 1})


async def test_what_cannot_be_posted_says_where_and_why(bench: Bench) -> None:
    for body, pointer in (
        ({"event_type": "nobody-knows", "data": {}}, "/event_type"),
        ({"engine_type": "not a lane", "data": {}}, "/engine_type"),
        ({"engine_type": "actor", "scheduled_for": "tomorrow"}, "/scheduled_for"),
        ({"engine_type": "actor", "scheduled_for": "2030-01-01T00:00:00"}, "/scheduled_for"),
        ({"engine_type": "actor", "model": "what:is:this"}, "/model"),
    ):
        problem = await bench.call("POST", "/events", body, 400)
        assert [error["pointer"] for error in problem["errors"]] == [pointer], problem
    many = await bench.call("POST", "/events", [{"engine_type": "actor"}, {"event_type": "nobody-knows"}], 400)
    assert many["errors"][0]["pointer"] == "/1/event_type"
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM events") == 0, "a batch is posted whole or not at all"


async def test_payloads_are_bounded(bench: Bench) -> None:
    large = {"engine_type": "actor", "data": {"prompt": "x" * 70_000}}
    assert (await bench.call("POST", "/events", large, 413))["code"] == "too_large"
    await bench.call("POST", "/events", [{"engine_type": "actor"}] * 1001, 413)


async def test_a_taken_dedupe_key_makes_nothing(bench: Bench) -> None:
    body = {"engine_type": "actor", "data": {"prompt": "x"}, "dedupe_key": "once"}
    first = await bench.call("POST", "/events", body, 201)
    again = await bench.call("POST", "/events", {**body, "data": {"prompt": "other"}}, 200)
    assert again["id"] == first["id"]
    both = await bench.call("POST", "/events", [body, {**body, "dedupe_key": "twice"}, {**body, "dedupe_key": "twice"}])
    assert both[0]["id"] == first["id"]
    assert both[1]["id"] == both[2]["id"] != first["id"]
    engine = await bench.engine()
    events = await bench.claim(engine)
    await bench.finish(engine, *[done(event) for event in events])
    assert (await bench.call("POST", "/events", body, 200))["status"] == "completed"


async def test_an_idempotency_key_is_honoured(bench: Bench) -> None:
    body = {"engine_type": "actor", "data": {"prompt": "x"}}
    answers = [await bench.http.post("/api/v1/events", json=body, headers={"idempotency-key": "k1"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true"]
    other = await bench.http.post("/api/v1/events", json={**body, "priority": 9}, headers={"idempotency-key": "k1"})
    assert other.status_code == 422


async def test_listing_with_filters_and_pages(bench: Bench) -> None:
    posted = await bench.post(5)
    engine = await bench.engine()
    one, two = await bench.claim(engine, 2)
    await bench.finish(engine, done(one))
    page = await bench.call("GET", "/events", limit=3)
    assert [item["id"] for item in page["items"]] == posted[:1:-1]
    rest = await bench.call("GET", "/events", limit=3, after=page["next"])
    assert [item["id"] for item in rest["items"]] == [posted[1], posted[0]]
    assert rest["next"] is None
    for status, expected in (("completed", [one["id"]]), ("PROCESSING", [two["id"]]), ("queued", posted[:1:-1])):
        found = await bench.call("GET", f"/events?status={status}")
        assert [item["id"] for item in found["items"]] == expected
    assert (await bench.call("GET", "/events?status=retry"))["items"] == []
    assert len((await bench.call("GET", "/events?engine_type=Actor&event_type=prompt"))["items"]) == 5
    await bench.call("GET", "/events?status=nonsense", None, 400)


async def test_a_lane_has_what_is_in_it_and_what_ended_there(bench: Bench, monkeypatch: Any) -> None:
    """Whoever ended it; and what is listed is what is shown."""
    completed, dead, given_up, cancelled, cut_off = await bench.post(5)
    engine = await bench.engine()
    leased = {event["id"]: event for event in await bench.claim(engine, 3)}
    broken = [failed(leased[event_id], permanent=True) for event_id in (dead, given_up)]
    await bench.finish(engine, done(leased[completed]), *broken)
    await bench.call("POST", f"/events/{given_up}/discard", None, 200)
    await bench.call("POST", f"/events/{cancelled}/cancel", None, 200)
    await bench.claim(engine, 1)
    await bench.call("POST", f"/events/{cut_off}/cancel", None, 200)
    other = await bench.post(4, engine_type="other")
    mine = [cut_off, cancelled, given_up, dead, completed]
    found = await bench.call("GET", "/events?lane=Actor")
    assert ([item["id"] for item in found["items"]], found["next"]) == (mine, None)
    assert {item["lane"] for item in found["items"]} == {"actor"}
    for status, expected in (
        ("cancelled", [cut_off, cancelled, given_up]),
        ("completed", [completed]),
        ("dead", [dead]),
    ):
        found = await bench.call("GET", f"/events?lane=actor&status={status}")
        assert [item["id"] for item in found["items"]] == expected, status
    text = module.sql("events", "in_lane").replace("LIMIT 5000", "LIMIT 3")
    real = module.sql
    monkeypatch.setattr(module, "sql", lambda file, name: text if name == "in_lane" else real(file, name))
    monkeypatch.setattr(module, "LOOKED_AT", 3)
    sizes, ids, after = [], [], None
    while not sizes or after is not None:
        page = await bench.call("GET", "/events", lane="actor", limit=2, **({} if after is None else {"after": after}))
        sizes.append(len(page["items"]))
        ids, after = ids + [item["id"] for item in page["items"]], page["next"]
    assert (ids, sizes[0]) == (mine, 0), "the newest three are of the other lane"
    assert [item["lane"] for item in (await bench.call("GET", "/events?lane=other"))["items"]] == ["other"] * 3
    assert len(other) == 4


async def test_one_event(bench: Bench) -> None:
    (posted,) = await bench.post()
    engine = await bench.engine()
    await bench.claim(engine)
    shown = await bench.event(posted)
    assert (shown["status"], shown["engine_id"], shown["lease_no"]) == ("processing", engine, 1)
    for unknown in ("12345", "0", "-1", "abc", str(2**63)):
        await bench.call("GET", f"/events/{unknown}", None, 404)
        await bench.call("POST", f"/events/{unknown}/retry", None, 404)


async def test_events_of_a_run_are_not_cancelled_one_by_one(bench: Bench) -> None:
    from pyscrai_api.queue.store import NewRow, enqueue_step

    run = await bench.run()
    async with bench.deps.pool.acquire() as conn, conn.transaction():
        rows = [NewRow(ordinal=0, event_type="decide", lane="actor", payload="{}")]
        (event_id,), *_ = await enqueue_step(
            conn, run, rows, step=1, last_pass=0, owner="local", max_failures=3, max_losses=10
        )
        await conn.execute("UPDATE runs SET open = 1, step = 1 WHERE id = $1", run)
    problem = await bench.call("POST", f"/events/{event_id}/cancel", None, 409)
    assert "cancel the run" in problem["detail"]
    for where in ("", "&lane=actor"):
        assert [e["id"] for e in (await bench.call("GET", f"/events?run_id={run}{where}"))["items"]] == [event_id]
    assert (await bench.call("GET", f"/events?run_id={run}&lane=other"))["items"] == []
