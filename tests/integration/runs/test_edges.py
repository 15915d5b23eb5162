"""What goes wrong inside the service: one event does not take others with it, and money is settled all the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.integration.runs.desk import Desk, crowd, done, money, settled
from tests.integration.runs.test_money import BOUND, priced

from pyscrai_api.queue import store
from pyscrai_api.runs import claims


async def test_an_event_that_cannot_be_shown_dies_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = claims.view

    def broken(plan: Any, state: Any, recent: Any, work: Any) -> dict[str, Any]:
        if work.seat == "s001":
            raise RuntimeError("no view of this seat")
        return real(plan, state, recent, work)

    run = await desk.start(crowd(3))
    with monkeypatch.context() as patch:
        patch.setattr(claims, "view", broken)
        events = await desk.claim("actor")
    assert [event["seat"] for event in events] == ["s000", "s002"]
    blocked = await desk.run(run)
    assert (blocked["status"], blocked["reason"]["code"]) == ("blocked", "unbuildable")
    assert "no view of this seat" in blocked["reason"]["message"]
    await desk.finish("actor", *[done(event) for event in events])
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert (await desk.play(run))["status"] == "completed"


async def test_calls_are_settled_although_the_finish_fails(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await priced(desk, "1", seats=2)
    one, _ = await desk.claim("actor")
    await desk.reserve("actor", one)

    async def broken(*_args: Any) -> Any:
        raise RuntimeError("a mistake of ours")

    engine = await desk.engine("actor")
    body = {"engine_id": engine["id"], "events": [done(one)], "calls": [settled(one)]}
    with monkeypatch.context() as patch:
        patch.setattr(store, "finish_rows", broken)
        answer = await desk.http.put("/api/v1/events/status", json=body)
        assert answer.status_code == 500
        assert "mistake" not in answer.text
    after = await desk.run(run)
    assert (money(after["spent"]), money(after["reserved"]), after["open"]) == (Decimal("0.0002"), 0, 2)
    assert await desk.finish("actor", done(one), calls=[settled(one)]) == ["done"]
    assert money((await desk.run(run))["spent"]) == Decimal("0.0002") < BOUND


async def test_an_event_without_a_run_is_asked_with_its_types_prompt(desk: Desk) -> None:
    await desk.ok("POST", "/events", {"event_type": "decide", "data": {"anything": 1}})
    await desk.ok("POST", "/events", {"event_type": "decide", "data": {"prompt": "Say hello."}, "model": "rehearsal"})
    await desk.ok("POST", "/events", {"event_type": "own", "engine_type": "actor", "data": {"prompt": "Say hello."}})
    typed, plain, own = await desk.claim("actor")
    assert typed["prompt"]["user"]
    assert typed["result_schema"]["required"]
    assert "prompt" not in plain or plain["prompt"] is None
    assert own["prompt"] is None
    assert own["model"]["id"] == "rehearsal"


async def test_what_belongs_to_somebody_else_cannot_be_seen(desk: Desk) -> None:
    run = await desk.start()
    async with desk.deps.pool.acquire() as conn:
        await conn.execute("UPDATE runs SET owner = 'somebody'")
    assert (await desk.refused("GET", f"/runs/{run['id']}"))["status"] == 404
    async with desk.deps.pool.acquire() as conn:
        await conn.execute("UPDATE runs SET visibility = 'shared'")
    assert (await desk.run(run))["id"] == run["id"]
    assert (await desk.refused("POST", f"/runs/{run['id']}/pause"))["status"] == 403


async def test_a_run_keeps_the_default_model_that_it_started_with(desk: Desk) -> None:
    run = await desk.start(crowd(1))
    async with desk.deps.pool.acquire() as conn:
        await conn.execute("UPDATE runs SET default_model = 'scripted:there'")
    desk.deps.runs.forget()
    (event,) = await desk.claim("actor")
    assert event["model"]["id"] == "scripted:there"
    assert (await desk.run(run))["seats"] == ["s000"]


async def test_an_event_type_that_does_not_promise_what_is_read_is_refused_at_the_start(desk: Desk) -> None:
    own = {"name": "vague", "lane": "actor", "prompt": "Decide.", "result_schema": {"type": "object"}}
    await desk.ok("POST", "/templates/event-types", own)
    name = await desk.scenario({**crowd(1), "events": {"decision": "vague"}})
    problem = await desk.refused("POST", "/runs", {"scenario": name})
    assert problem["errors"][0]["pointer"] == "/events/decision"
    assert "action" in problem["errors"][0]["message"]


async def test_a_person_may_pause_what_ran_out_of_money(desk: Desk) -> None:
    run = await priced(desk, "0.0001", seats=1)
    (event,) = await desk.claim("actor")
    await desk.reserve("actor", event)
    assert (await desk.run(run))["reason"]["code"] == "out_of_money"
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    await desk.ok("PATCH", f"/runs/{run['id']}", {"limit": "1"})
    assert (await desk.run(run))["reason"]["code"] == "by_user"
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert len(await desk.claim("actor")) == 1
