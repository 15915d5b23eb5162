"""Room at model providers: one bucket for all engines and processes of an installation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.runs.desk import Desk, call, crowd, done, settled

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.loops.promote import Promote
from pyscrai_api.queue.deferring import MOST_TIMES
from pyscrai_api.settings import Settings

PRICED = {"model": "openai:test", "prices": {"*": {"input": "1", "output": "2"}}, "limit": "100"}
TOKENS = 1100
"""Of one call, at most."""
Serve = Callable[[str], Any]


@asynccontextmanager
async def served(dsn: str, limits: Path) -> AsyncIterator[Desk]:
    """One API process with these limits; each has its own connections and memory."""
    settings = Settings(database_url=dsn, runs_at_once=None, providers=limits)
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as http:
            yield Desk(http=http, deps=deps)


@pytest.fixture
async def serve(dsn: str, tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts API processes over one database, all with the limits that the text says."""
    async with AsyncExitStack() as stack:

        async def start(text: str) -> Desk:
            path = tmp_path / "providers.yaml"
            path.write_text(text)
            return await stack.enter_async_context(served(dsn, path))

        yield start


async def reserve(desk: Desk, event: dict[str, Any], **more: Any) -> str:
    (grant,) = await desk.reserve("actor", event, **more)
    return str(grant["state"])


async def query(desk: Desk, text: str, *values: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in await desk.deps.pool.fetch(text, *values)]


async def provider(desk: Desk, name: str = "openai") -> dict[str, Any]:
    found = {each["name"]: each for each in await desk.ok("GET", "/providers")}
    state: dict[str, Any] = found[name]
    return state


async def due_now(desk: Desk) -> None:
    """What waits for its time has waited long enough."""
    await desk.deps.pool.execute("UPDATE queue SET run_at = now() WHERE state = 1")
    await Promote(pool=desk.deps.pool, bell=desk.deps.bell).run_once()


def put_off(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An engine's word that the provider did not begin."""
    place = {"event_id": event["id"], "lease_no": event["lease_no"]}
    return {**place, "status": "handed_back", "code": "model_rate_limited", "error": "429: slow down", **more}


def too_many(event: dict[str, Any], seconds: float, **more: Any) -> dict[str, Any]:
    """The record of a call that a provider answered with 429 and Retry-After."""
    return settled(event, usage={}, answer=None, error="429: slow down", retry_after=seconds, **more)


async def test_two_processes_never_have_more_calls_open_than_are_allowed(serve: Serve) -> None:
    one = await serve("openai: {concurrency: 7}")
    two = await serve("openai: {concurrency: 7}")
    runs = [await one.start(crowd(50), **PRICED) for _ in range(4)]
    held = [(desk, event) for desk in (one, two) for event in await desk.claim("actor", most=100)]
    assert len(held) == 200
    states = await asyncio.gather(*(reserve(desk, event) for desk, event in held))
    assert sorted(states) == ["granted"] * 7 + ["rate_limited"] * 193
    assert (await provider(one))["open_calls"] == 7
    rows = await query(one, "SELECT state, failures, handbacks, run_at, error FROM queue")
    assert [row["state"] for row in rows].count(3) == 7
    put_away = [row for row in rows if row["state"] == 1]
    assert len(put_away) == 193
    assert {(row["failures"], row["handbacks"]) for row in put_away} == {(0, 1)}
    assert len({row["run_at"] for row in put_away}) == 193, "they do not come back all at once"
    assert {row["error"] for row in put_away} == {"openai has no room: 7 of 7 calls at once are open"}
    granted = [(desk, event) for (desk, event), state in zip(held, states, strict=True) if state == "granted"]
    desk, event = granted[0]
    await desk.finish("actor", done(event), calls=[settled(event)])
    await due_now(one)
    again = await asyncio.gather(*(reserve(one, event) for event in await one.claim("actor", most=50)))
    assert sorted(again) == ["granted"] + ["rate_limited"] * 49, "one call is over, one place is free"
    for run in runs:
        assert (await one.run(run))["status"] == "running"


async def test_two_processes_share_the_rates(serve: Serve) -> None:
    one = await serve("openai: {requests_per_minute: 1}")
    two = await serve("openai: {requests_per_minute: 1}")
    await one.start(crowd(40), **PRICED)
    held = [(desk, event) for desk in (one, two) for event in await desk.claim("actor", most=20)]
    states = await asyncio.gather(*(reserve(desk, event) for desk, event in held))
    assert sorted(states) == ["granted"] + ["rate_limited"] * 39
    assert 0 < (await provider(two))["free_in"] <= 60
    waits = await query(one, "SELECT extract(epoch FROM run_at - now())::float8 AS wait FROM queue WHERE state = 1")
    assert min(row["wait"] for row in waits) > 30, "nobody comes back before there can be room"
    assert max(row["wait"] for row in waits) - min(row["wait"] for row in waits) > 30, "nor all at once"


async def test_tokens_are_counted_at_their_bound(serve: Serve) -> None:
    desk = await serve(f"openai: {{tokens_per_minute: {10 * TOKENS}}}")
    await desk.start(crowd(3), **PRICED)
    events = await desk.claim("actor")
    grants = await desk.reserve("actor", *events)
    assert [grant["state"] for grant in grants] == ["granted", "rate_limited", "rate_limited"]
    assert grants[1]["detail"] == f"openai has no room: {10 * TOKENS} tokens a minute are allowed"


async def test_a_refused_call_takes_nothing(serve: Serve) -> None:
    desk = await serve("openai: {requests_per_minute: 5, concurrency: 1}")
    run = await desk.start(crowd(2), **(PRICED | {"limit": "0.0001"}))
    events = await desk.claim("actor")
    assert {grant["state"] for grant in await desk.reserve("actor", *events)} == {"refused"}, "no money"
    assert (await provider(desk)) | {"free_in": 0, "open_calls": 0} == await provider(desk)
    await desk.ok("POST", f"/runs/{run['id']}/resume", {"limit": "1"})
    events = await desk.claim("actor")
    assert [g["state"] for g in await desk.reserve("actor", *events)] == ["granted", "rate_limited"], "one place"
    money = await desk.run(run)
    assert money["reserved"] == "0.0012000000", "for the call that was granted alone"


async def test_each_provider_has_a_bucket_and_free_models_have_none(serve: Serve) -> None:
    desk = await serve("'*': {concurrency: 1}")
    for model in ("openai:test", "groq:test", "http://127.0.0.1:9/v1#test", "rehearsal"):
        await desk.start(crowd(2), **(PRICED | {"model": model}))
    events = await desk.claim("actor")
    states: dict[str, list[str]] = {}
    for event, grant in zip(events, await desk.reserve("actor", *events), strict=True):
        states.setdefault(event["model"]["id"], []).append(grant["state"])
    assert states.pop("rehearsal") == ["granted", "granted"]
    assert list(states.values()) == [["granted", "rate_limited"]] * 3
    assert {each["name"] for each in await desk.ok("GET", "/providers")} == {"openai", "groq", "127.0.0.1:9"}


async def test_a_repeat_takes_nothing_and_a_repair_keeps_its_place(serve: Serve) -> None:
    desk = await serve("openai: {concurrency: 1, requests_per_minute: 1}")
    await desk.start(crowd(2), **PRICED)
    one, two = await desk.claim("actor")
    assert [await reserve(desk, one), await reserve(desk, one)] == ["granted", "granted"]
    assert await reserve(desk, one, call=2) == "granted", "its first answer was paid for, and would be lost"
    assert (await provider(desk))["open_calls"] == 1
    assert await reserve(desk, two) == "rate_limited"


async def test_a_lease_that_is_lost_takes_up_no_room(serve: Serve) -> None:
    desk = await serve("openai: {concurrency: 1}")
    await desk.start(crowd(2), **PRICED)
    one, two = await desk.claim("actor")
    assert await reserve(desk, one) == "granted"
    await desk.deps.pool.execute("UPDATE queue SET lease_until = now() - interval '1 s' WHERE id = $1", one["id"])
    (row,) = await query(desk, "SELECT run_id FROM queue WHERE id = $1", one["id"])
    await desk.deps.run_finisher.sweep_run(row["run_id"], [one["id"]])
    assert await reserve(desk, two) == "granted"


async def test_all_leave_a_provider_alone_that_asks_for_it(serve: Serve) -> None:
    one, two = await serve("{}"), await serve("{}")
    run = await one.start(crowd(4), **PRICED)
    first, second = await one.claim("actor", most=2)
    others = await two.claim("actor")
    assert await reserve(one, first) == "granted"
    assert await one.finish("actor", put_off(first, retry_after=30), calls=[too_many(first, 30)]) == ["done"]
    for desk, event in ((one, second), *((two, each) for each in others)):
        (grant,) = await desk.reserve("actor", event)
        assert grant["state"] == "rate_limited"
        assert "openai asked for a break" in grant["detail"]
        assert grant["detail"].endswith("429: slow down")
    state = await provider(two)
    assert 20 < state["blocked_for"] <= 30
    assert state["blocked_by"] == "429: slow down"
    rows = await query(one, "SELECT failures, extract(epoch FROM run_at - now())::float8 AS wait FROM queue")
    assert all(row["failures"] == 0 and row["wait"] > 20 for row in rows)
    assert len(rows) == 4
    waiting = (await one.run(run))["waiting_for"]
    assert (waiting["events"], "429: slow down" in waiting["reason"], waiting["seconds"] > 20) == (4, True, True)
    await one.finish("actor", put_off(first, retry_after=30), calls=[too_many(first, 300)])
    assert (await provider(one))["blocked_for"] <= 30, "a report that is repeated says nothing about now"
    other = await one.start(crowd(1), **(PRICED | {"model": "groq:test"}))
    (event,) = await one.claim("actor")
    assert await reserve(one, event) == "granted", "another provider was not meant"
    assert (await one.run(other))["waiting_for"] is None
    metrics = (await one.http.get("/metrics")).text
    assert 'pyscrai_provider_rate_limited_total{by="provider",provider="openai"} 2.0' in metrics
    assert 'pyscrai_provider_open_calls{provider="groq"} 1.0' in metrics
    assert 'pyscrai_provider_blocked_seconds{provider="openai"}' in metrics


async def test_a_break_without_end_is_cut_short(serve: Serve) -> None:
    desk = await serve("{}")
    await desk.start(crowd(1), **PRICED)
    (event,) = await desk.claim("actor")
    await desk.reserve("actor", event)
    await desk.finish("actor", put_off(event), calls=[too_many(event, 86400)])
    assert 500 < (await provider(desk))["blocked_for"] <= 600


async def test_who_was_put_off_too_often_has_failed(serve: Serve) -> None:
    desk = await serve("{}")
    await desk.start(crowd(1), **PRICED, max_failures=2)
    for times in range(MOST_TIMES + 1):
        (event,) = await desk.claim("actor")
        assert event["try"] == 1
        await desk.finish("actor", put_off(event))
        (row,) = await query(desk, "SELECT failures, handbacks, error FROM queue")
        assert (row["failures"], row["handbacks"]) == ((0, times + 1) if times < MOST_TIMES else (1, MOST_TIMES))
        await due_now(desk)
    assert row["error"].startswith(f"put off {MOST_TIMES} times within")
    (event,) = await desk.claim("actor")
    await desk.finish("actor", put_off(event))
    (row,) = await query(desk, "SELECT failures, handbacks FROM queue")
    assert row == {"failures": 1, "handbacks": MOST_TIMES + 1}, "counted from the failure on"


async def test_who_was_put_off_too_long_has_failed_and_blocks_the_run(serve: Serve) -> None:
    desk = await serve("{}")
    run = await desk.start(crowd(2), **PRICED, max_failures=1)
    one, two = await desk.claim("actor")
    await desk.finish("actor", put_off(one, code="model_overloaded"))
    await desk.deps.pool.execute("UPDATE attempts SET ended_at = ended_at - interval '1 h'")
    await due_now(desk)
    (again,) = await desk.claim("actor")
    assert await desk.finish("actor", put_off(again), put_off(two)) == ["done", "done"]
    blocked = await desk.run(run)
    assert (blocked["status"], blocked["reason"]["code"]) == ("blocked", "model_rate_limited")
    assert "put off 1 times within 36" in blocked["reason"]["message"]


async def test_an_event_without_a_run_waits_for_room_too(serve: Serve) -> None:
    desk = await serve("openrouter: {concurrency: 1}")
    wanted = {"event_type": "prompt", "lane": "actor", "data": {"prompt": "hi"}, "model": "openrouter:a/b:free"}
    for _ in range(2):
        await desk.ok("POST", "/events", wanted)
    one, two = await desk.claim("actor")
    grants = await desk.reserve("actor", one, two)
    assert [grant["state"] for grant in grants] == ["granted", "rate_limited"]
    assert await desk.finish("actor", put_off(one, retry_after=5), calls=[too_many(one, 5)]) == ["done"]
    assert await query(desk, "SELECT state, failures FROM queue") == [{"state": 1, "failures": 0}] * 2
    assert (await provider(desk, "openrouter"))["blocked_for"] > 0


async def test_the_time_for_a_call_comes_with_the_claim(serve: Serve) -> None:
    desk = await serve("openai: {timeout: 7.5}")
    await desk.start(crowd(1), **PRICED)
    await desk.start(crowd(1), model="rehearsal")
    timeouts = {event["model"]["id"]: event["model"]["timeout"] for event in await desk.claim("actor")}
    assert timeouts == {"openai:test": 7.5, "rehearsal": None}


async def test_a_whole_batch_is_spared_when_nothing_is_declared(serve: Serve) -> None:
    desk = await serve("{}")
    await desk.start(crowd(50), **PRICED)
    events = await desk.claim("actor")
    await desk.ok(
        "POST", "/events/reserve", {"engine_id": desk.engines["actor"]["id"], "calls": list(map(call, events))}
    )
    assert await query(desk, "SELECT name FROM providers") == [], "no row, no lock"
