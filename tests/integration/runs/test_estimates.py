"""Estimates over a real catalog: calls are those of the run that is then played."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.integration.runs.desk import Desk, money, reply, settled, talks

from pyscrai.sdk.scenario import Scenario
from pyscrai.sdk.shipped import shipped_scenarios

PRICES = {"gpt-4o-mini": {"input": "1", "output": "2"}}


async def estimated(desk: Desk, content: dict[str, Any], **choices: Any) -> dict[str, Any]:
    found: dict[str, Any] = await desk.ok("POST", "/estimates", {"content": content, "choices": choices})
    return found


def answers(event: dict[str, Any]) -> dict[str, Any]:
    report = {"summary": "so far", "findings": ["one"], "turning_points": [], "influence": [], "positions": []}
    return report if event["event_type"] == "turn_report" else reply(event)


async def calls_of(desk: Desk, run: dict[str, Any]) -> int:
    count = "SELECT count(*) FROM events e JOIN runs r ON r.id = e.run_id WHERE r.id::text = $1"
    async with desk.deps.pool.acquire() as conn:
        return int(await conn.fetchval(count, run["id"]))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"schedule": {"turns": 4}, "analyst": {"every": 2}, "reports": {"every": 3, "at_end": True}},
        {"schedule": {"turns": 4, "phases": ["decision"]}},
        {"schedule": {"turns": 9, "limits": {"model_calls": 11}}},
    ],
)
async def test_the_calls_of_a_fixed_schedule_are_exact(desk: Desk, change: dict[str, Any]) -> None:
    content = talks(**change)
    told = await estimated(desk, content)
    assert (told["exact"], told["why"]) == (True, [])
    assert told["calls"]["low"] == told["calls"]["high"] == told["calls"]["expected"]
    run = await desk.play(await desk.start(content), answers)
    assert run["status"] == "completed"
    assert told["calls"]["expected"] == await calls_of(desk, run)
    for part in ("seat", "phase", "model"):
        assert sum(line["calls"]["expected"] for line in told["by"][part]) == told["calls"]["expected"]
        total = sum((money(line["cost"]) for line in told["by"][part]), Decimal(0))
        assert total == money(told["cost"]["expected"])
    assert told["cost"] == {"low": "0.0000000000", "expected": "0.0000000000", "high": "0.0000000000"}


async def test_what_depends_on_answers_has_a_range_and_a_reason(desk: Desk) -> None:
    seats = {name: {"role": name} for name in ("a", "b", "c")}
    talk = {"bilateral": True, "coalitions": True, "rounds": 3}
    told = await estimated(desk, talks(seats=seats, communication=talk))
    assert not told["exact"]
    assert len(told["why"]) == 2
    calls = told["calls"]
    # A turn has 3 letters, 3 proposals, 3 decisions, the world, a check and a measurement; two turns of it.
    assert calls["low"] == 2 * (3 + 3 + 3 + 1 + 1 + 1)
    assert calls["high"] == calls["low"] + 2 * (2 * 3 + 3)
    assert calls["low"] < calls["expected"] < calls["high"]


async def test_a_model_without_a_price_is_refused_as_at_a_start(desk: Desk) -> None:
    problem = await desk.refused("POST", "/estimates", {"content": talks(), "choices": {"model": "openai:no-such"}})
    assert (problem["status"], problem["code"]) == (422, "unpriced_model")
    wrong = await desk.refused("POST", "/estimates", {"content": {"name": "empty"}})
    assert wrong["status"] == 400
    assert [error["pointer"] for error in wrong["errors"]] == ["/seats"]
    assert (await desk.refused("POST", "/estimates", {}))["errors"][0]["pointer"] == "/scenario"


async def test_paid_calls_of_this_installation_correct_what_is_assumed(desk: Desk) -> None:
    paid: dict[str, Any] = {"model": "gpt-4o-mini", "prices": PRICES}
    before = await estimated(desk, talks(), **paid)
    assert before["calibration"] == []
    run = await desk.start(talks(), limit="5", **paid)
    usage = {"input_tokens": 400, "output_tokens": 1000}
    events = await desk.claim("actor")
    grants = await desk.reserve("actor", *events, input_bound=2000, max_tokens=1024)
    assert {grant["state"] for grant in grants} == {"granted"}
    await desk.finish("actor", *[], calls=[settled(event, usage=usage) for event in events])
    after = await estimated(desk, talks(), **paid)
    (seen,) = after["calibration"]
    assert (seen["event_type"], seen["calls"], seen["output_tokens"]) == ("decide", 2, 1000)
    assert seen["tokens_per_byte"] == 0.2
    decide = [next(line for line in one["by"]["phase"] if line["key"] == "decision") for one in (before, after)]
    assert decide[0]["output_tokens"] < decide[1]["output_tokens"]
    assert money(after["cost"]["expected"]) > money(before["cost"]["expected"])
    assert money(after["cost"]["low"]) < money(after["cost"]["expected"]) < money(after["cost"]["high"])
    assert money(after["cost"]["high"]) < money(after["at_most"])
    assert (await desk.run(run))["status"] == "running"


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
async def test_every_example_can_be_estimated(desk: Desk, name: str) -> None:
    content = Scenario.load(shipped_scenarios()[name]).content()
    told = await estimated(desk, content, model="gpt-4o-mini", prices=PRICES)
    calls, cost = told["calls"], {end: money(amount) for end, amount in told["cost"].items()}
    assert 0 < calls["low"] <= calls["expected"] <= calls["high"]
    assert told["exact"] == (calls["low"] == calls["high"])
    assert Decimal(0) < cost["low"] < cost["expected"] < cost["high"] < money(told["at_most"])


async def test_people_at_seats_are_not_counted(desk: Desk) -> None:
    seats: dict[str, Any] = {"union": {"human": True}, "board": {"approve": True}}
    told = await estimated(desk, talks(), seats=seats)
    assert {line["key"]: line["calls"]["expected"] for line in told["by"]["seat"]} == {
        "board": 2, "narrator": 2, "analyst": 4,
    }  # fmt: skip
    assert "people cost nothing: The union" in told["notes"]
