"""Other models for a run that has begun: checked like at the start, seen by every replica, no part of the story."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from tests.integration.runs.desk import Desk, back, crowd, done, failed, money

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps

PRICED = {"model": "openai:dear", "prices": {"openai:dear": {"input": "1000", "output": "2000"}}}

FREE = {"input": "0", "output": "0"}
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON entries FOR EACH ROW WHEN (NEW.kind = 'turn_complete') EXECUTE FUNCTION refuse();
"""


@pytest.fixture
async def replica(desk: Desk) -> AsyncIterator[Desk]:
    """A second API process over the same database."""
    async with open_deps(desk.deps.settings) as deps:
        transport = httpx.ASGITransport(app=create_app(deps.settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield Desk(http=http, deps=deps)


async def models(desk: Desk, lane: str = "actor") -> dict[str, str]:
    """Claim what is ready, look which model each seat gets, and hand it back."""
    events = await desk.claim(lane)
    await desk.finish(lane, *[back(event) for event in events])
    return {event["seat"]: event["model"]["id"] for event in events}


async def changes(desk: Desk, run: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry["body"] for entry in await desk.log(run) if entry["kind"] == "seat_changed"]


async def test_a_blocked_run_goes_on_with_another_model_to_the_same_digest(desk: Desk, replica: Desk) -> None:
    expected = await desk.play(await desk.start(seed=3))
    run = await desk.start(seed=3, model="openrouter:gone/away", prices={"openrouter:gone/away": FREE})
    events = await desk.claim("actor")
    assert {event["model"]["id"] for event in events} == {"openrouter:gone/away"}
    gone = failed(events[0], code="model_rejected", permanent=True)
    await desk.finish("actor", gone, *[back(event) for event in events[1:]])
    assert (await desk.run(run))["status"] == "blocked"
    # Both processes have the old plan in their memory; the second one is asked for the new one by nobody.
    assert (await replica.ok("GET", f"/runs/{run['id']}/snapshot"))["choices"]["model"] == "openrouter:gone/away"
    resumed = await desk.ok("POST", f"/runs/{run['id']}/resume", {"model": "rehearsal"})
    assert (resumed["status"], resumed["choices"]["model"]) == ("running", "rehearsal")
    assert (await replica.ok("GET", f"/runs/{run['id']}/snapshot"))["choices"]["model"] == "rehearsal"
    assert set((await models(replica)).values()) == {"rehearsal"}
    ended = await desk.play(run)
    assert (ended["status"], ended["log_digest"]) == ("completed", expected["log_digest"])
    assert await changes(desk, run) == [{"seat": None, "model": "rehearsal"}]


async def test_one_seat_gets_another_model_and_keeps_the_rest(desk: Desk) -> None:
    run = await desk.start(crowd(2), seats={"s000": {"max_tokens": 77}})
    wanted = {"seats": {"s000": {"model": "scripted:/there", "temperature": 0.5}, "narrator": {"max_tokens": 9}}}
    await desk.ok("POST", f"/runs/{run['id']}/resume", wanted)
    (first, second) = await desk.claim("actor")
    assert (first["model"]["id"], first["model"]["temperature"]) == ("scripted:/there", 0.5)
    assert first["model"]["max_tokens"] == 77
    assert second["model"]["id"] == "rehearsal"
    assert await changes(desk, run) == [
        {"seat": "s000", "model": "scripted:/there", "temperature": 0.5, "max_tokens": 77},
        {"seat": "narrator", "max_tokens": 9},
    ]
    again = await desk.ok("POST", f"/runs/{run['id']}/resume", wanted)
    assert again["choices"]["seats"]["s000"]["model"] == "scripted:/there"
    assert len(await changes(desk, run)) == 2, "what is so already is no change"


async def test_a_model_for_all_leaves_a_seat_its_own(desk: Desk) -> None:
    run = await desk.start(crowd(2), seats={"s001": {"model": "scripted:/own"}})
    await desk.ok("POST", f"/runs/{run['id']}/resume", {"model": "scripted:/all"})
    assert await models(desk) == {"s000": "scripted:/all", "s001": "scripted:/own"}


@pytest.mark.parametrize(
    ("wanted", "code", "says"),
    [
        ({"model": "openai:nobody-knows-it"}, "unpriced_model", "--price"),
        ({"model": "gpt 4"}, "invalid", "/model"),
        ({"seats": {"mayr": {"model": "rehearsal"}}}, "invalid", "/seats/mayr"),
        ({"seats": {"mayor": {"instructions": "lie"}}}, "invalid", "/seats/mayor/instructions"),
        ({"seats": {"mayor": {"human": True}}}, "invalid", "/seats/mayor/human"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    desk: Desk, wanted: dict[str, Any], code: str, says: str
) -> None:
    run = await desk.start()
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    problem = await desk.refused("POST", f"/runs/{run['id']}/resume", wanted)
    assert problem["code"] == code
    assert says in str(problem)
    after = await desk.run(run)
    assert (after["status"], after["choices"], await changes(desk, run)) == ("paused", run["choices"], [])
    assert (await desk.play(await desk.ok("POST", f"/runs/{run['id']}/resume")))["status"] == "completed"


async def test_a_priced_model_needs_a_limit_also_later(desk: Desk) -> None:
    run = await desk.start(crowd(1), limit="none")
    path = f"/runs/{run['id']}/resume"
    assert (await desk.refused("POST", path, PRICED))["code"] == "limit_required"
    resumed = await desk.ok("POST", path, PRICED | {"limit": "9"})
    assert (resumed["choices"]["model"], money(resumed["limit"])) == ("openai:dear", Decimal(9))
    assert resumed["choices"]["prices"]["openai:dear"]["output"] == "2000"
    (event,) = await desk.claim("actor")
    (grant,) = await desk.reserve("actor", event)
    assert (grant["state"], money(grant["reserved"])) == ("granted", Decimal("1.2"))
    await desk.finish("actor", back(event))


async def test_out_of_money_a_cheaper_model_goes_on_under_the_same_limit(desk: Desk) -> None:
    run = await desk.start(crowd(3), **PRICED, limit="1")
    events = await desk.claim("actor")
    assert {grant["state"] for grant in await desk.reserve("actor", *events)} == {"refused"}
    stopped = await desk.run(run)
    assert (stopped["status"], stopped["reason"]["code"]) == ("paused", "out_of_money")
    await desk.ok("POST", f"/runs/{run['id']}/resume", {"model": "rehearsal"})
    ended = await desk.play(run)
    assert (ended["status"], money(ended["spent"]), money(ended["limit"])) == ("completed", 0, 1)


async def test_a_change_that_is_undone_is_remembered_by_nobody(desk: Desk, replica: Desk) -> None:
    """The plan of the undone transaction must not come back as the plan of the next change, which has its number."""
    run = await desk.start(crowd(2, turns=2), model="scripted:/first")
    events = await desk.claim("actor")
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    await desk.finish("actor", *[done(event) for event in events])
    await desk.deps.pool.execute(REFUSE)
    answer = await desk.http.post(f"/api/v1/runs/{run['id']}/resume", json={"model": "scripted:/undone"})
    assert answer.status_code == 500
    await desk.deps.pool.execute("DROP TRIGGER refuse ON entries")
    await replica.ok("POST", f"/runs/{run['id']}/resume", {"model": "scripted:/second"})
    assert set((await models(desk)).values()) == {"scripted:/second"}
