"""What comes twice, late, in the wrong order or in odd shapes; and what must not reach another seat."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from tests.integration.queue.bench import until
from tests.integration.runs.desk import Desk, crowd, done, failed, settled, talks
from tests.integration.runs.test_stream import frames

from pyscrai_api.loops.sweep import Sweep


async def test_a_stream_resumed_after_the_last_entry_of_a_run_that_is_over_ends(desk: Desk) -> None:
    run = await desk.play(await desk.start())
    async with asyncio.timeout(10):
        assert await frames(desk, run, after=run["last_seq"]) == []
        assert await frames(desk, run, after=run["last_seq"] + 50) == []
    cancelled = await desk.ok("POST", f"/runs/{(await desk.start())['id']}/cancel")
    async with asyncio.timeout(10):
        assert await frames(desk, cancelled, after=cancelled["last_seq"]) == []


async def test_texts_that_postgresql_refuses_are_cleaned_in_a_run_too(desk: Desk) -> None:
    name = await desk.scenario(talks())
    choices = b'{"title": "a\\u0000b", "labels": {"k\\ud800": "v"}, "custom": {"c": "\\u0000"}}'
    body = b'{"scenario": "%s", "choices": %s}' % (name.encode(), choices)
    kind = {"Content-Type": "application/json"}
    made = await desk.http.post("/api/v1/runs", content=body, headers=kind)
    assert made.status_code == 201, made.text
    assert (made.json()["title"], made.json()["labels"]) == ("a\ufffdb", {"k\ufffd": "v"})
    path = f"/api/v1/runs/{made.json()['id']}"
    changed = await desk.http.patch(path, content=b'{"title": "x\\u0000"}', headers=kind)
    assert (changed.status_code, changed.json()["title"]) == (200, "x\ufffd")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/runs/{run}/log?after=99999999999999999999", None),
        ("GET", "/runs/{run}/stream?after=99999999999999999999", None),
        ("GET", "/runs?scenario=%00", None),
        ("GET", "/events?event_type=%00", None),
        ("GET", "/events/queue/%00", None),
        ("GET", "/engine-instances?lane=%00", None),
        ("POST", "/runs/{run}/resume", {"move": True, "pool": "no such: pool"}),
        ("POST", "/engine-instances", {"engine_type": "actor", "protocol": 2**40}),
        ("POST", "/events", {"engine_type": "actor", "data": {}, "scheduled_for": "9999-12-31T23:59:59-12:00"}),
        ("POST", "/events", {"engine_type": "actor", "data": {}, "event_type": "x" * 100_000}),
    ],
)
async def test_a_mistake_of_the_caller_is_told_as_one(desk: Desk, method: str, path: str, body: Any) -> None:
    run = await desk.start()
    answer = await desk.http.request(method, f"/api/v1{path.format(run=run['id'])}", json=body)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    "odd", [{"seconds": 1e12}, {"seconds": -5}, {"usage": {"input_tokens": 10**30, "output_tokens": 0}}]
)
async def test_odd_numbers_of_a_call_do_not_keep_a_result_from_counting(desk: Desk, odd: dict[str, Any]) -> None:
    prices = {"openai:test": {"input": "1", "output": "2"}}
    run = await desk.start(crowd(2), model="openai:test", prices=prices, limit="1")
    one, two = await desk.claim("actor")
    await desk.reserve("actor", one)
    assert await desk.finish("actor", done(one), calls=[settled(one, **odd)]) == ["done"]
    assert await desk.finish("actor", done(two)) == ["done"]
    after = await desk.run(run)
    assert (after["open"], after["model_calls"]) == (0, 1)


async def test_a_batch_of_several_kinds_and_a_heartbeat_do_not_wait_in_a_circle(desk: Desk) -> None:
    """All rows are locked in the order of their ids before any group of them is worked on."""
    await desk.start(crowd(3))
    low, mid, high = await desk.claim("actor")
    async with desk.deps.pool.acquire() as conn:
        other = conn.transaction()
        await other.start()
        await conn.execute("SELECT FROM queue WHERE id = $1 FOR UPDATE", low["id"])
        finish = asyncio.create_task(desk.finish("actor", failed(low), done(high), done(mid)))
        await until(lambda: conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        await conn.execute("SELECT FROM queue WHERE id = $1 FOR UPDATE NOWAIT", high["id"])
        await other.rollback()
    assert await finish == ["done", "done", "done"]


async def test_two_phases_may_share_the_name_of_an_event_type(desk: Desk) -> None:
    """Results are held against the version that their own phase has pinned."""

    def speak(lane: str, key: str) -> dict[str, Any]:
        schema = {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]}
        return {"name": "speak", "lane": lane, "prompt": "Speak.", "result_schema": schema}

    await desk.ok("POST", "/templates/event-types", speak("actor", "action"))
    await desk.ok("PUT", "/templates/event-types/speak", speak("narrator", "narrative"))
    events = {"decision": "speak@1", "world_update": "speak@2"}
    schedule = {"turns": 1, "phases": ["decision", "world_update"]}

    def answer(event: dict[str, Any]) -> dict[str, Any]:
        return {"action": "go"} if event["phase"] == "decision" else {"narrative": "gone"}

    content = talks(events=events, schedule=schedule, metrics={}, checks={})
    after = await desk.play(await desk.start(content), answer)
    assert (after["status"], after["reason"]) == ("completed", None)


async def test_a_run_whose_sweep_fails_does_not_keep_others_from_theirs(desk: Desk) -> None:
    runs = [await desk.start(crowd(1)) for _ in range(2)]
    await desk.claim("actor")
    await desk.deps.pool.execute("UPDATE queue SET lease_until = now() - interval '1 hour' WHERE state = 3")
    broken = min(UUID(run["id"]) for run in runs)

    class Runs:
        async def sweep_run(self, run_id: UUID, event_ids: list[int]) -> int:
            if run_id == broken:
                raise RuntimeError("a broken row")
            return await desk.deps.run_finisher.sweep_run(run_id, event_ids)

    now = [0.0]
    finisher: Any = Runs()
    loop = Sweep(pool=desk.deps.pool, loose=desk.deps.queue.loose, runs=finisher, clock=lambda: now[0])
    for now[0] in range(0, 40, 4):
        await loop.run_once()
    assert await desk.deps.pool.fetchval("SELECT count(*) FROM queue WHERE losses = 1") == 1


async def test_a_view_that_is_too_large_blocks_the_run_and_says_so(desk: Desk) -> None:
    run = await desk.start(talks(world={"text": "x" * 300_000}))
    assert await desk.claim("actor") == []
    after = await desk.run(run)
    assert (after["status"], after["reason"]["code"]) == ("blocked", "too_large")
    assert "262144" in after["reason"]["message"]


async def test_what_the_analyst_measured_does_not_reach_a_seat(desk: Desk) -> None:
    run = await desk.play(await desk.start())
    everything = {entry["seq"]: entry for entry in await desk.log(run)}
    assert all(e["body"]["metrics"] for e in everything.values() if e["kind"] == "turn_complete")
    seen = await desk.log(run, seat="union")
    assert {entry["kind"] for entry in seen} >= {"turn_complete", "thought"}
    for entry in seen:
        kept_back = {"turn_complete": "metrics", "phase_complete": "events", "outcome": "reason"}.get(entry["kind"])
        told = everything[entry["seq"]]["body"]
        assert entry["body"] == {name: value for name, value in told.items() if name != kept_back}


async def test_why_a_run_stands_still_is_not_told_to_a_seat(desk: Desk) -> None:
    run = await desk.start()
    one, two = await desk.claim("actor")
    await desk.finish("actor", failed(one, error="my secret plan is too long", permanent=True))
    assert "secret" in (await desk.run(run))["reason"]["message"]
    shown = await desk.ok("GET", f"/runs/{run['id']}/snapshot", seat=two["seat"])
    assert (shown["run"]["status"], shown["run"]["reason"]) == ("blocked", None)
