"""Values that nobody expects must neither stop a run for good nor become an error of the service."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.runs.desk import Desk, reply, talks


@pytest.mark.parametrize("number", [10**20, 1e20, -(2**53), 1e300, -0.0])
async def test_a_number_beyond_the_safe_integers_is_folded_warm_and_cold(desk: Desk, number: float) -> None:
    def answer(event: dict[str, Any]) -> dict[str, Any]:
        result = reply(event)
        return result | {"facts": {"stars": number}} if event["event_type"] == "world_update" else result

    warm = await desk.play(await desk.start(), answer)
    assert (warm["status"], warm["reason"]) == ("completed", None)
    cold = await desk.start()
    while await desk.work(answer=answer):
        desk.deps.runs.forget()
    again = await desk.run(cold)
    assert (again["status"], again["log_digest"]) == ("completed", warm["log_digest"])
    facts = [entry["body"]["facts"] for entry in await desk.log(cold) if entry["kind"] == "world_update"]
    assert facts[0]["stars"] == float(number)


@pytest.mark.parametrize("number", [10**20, 1e300])
async def test_a_huge_measured_integer_does_not_block_the_run(desk: Desk, number: float) -> None:
    metrics = {"stars": {"description": "how many", "type": "integer"}}
    content = talks(metrics=metrics, schedule={"turns": 2, "end_when": ["stars < 0"]})

    def answer(event: dict[str, Any]) -> dict[str, Any]:
        return {"values": {"stars": number}} if event["event_type"] == "measure" else reply(event)

    warm = await desk.play(await desk.start(content), answer)
    assert (warm["status"], warm["reason"]) == ("completed", None)
    cold = await desk.start(content)
    while await desk.work(answer=answer):
        desk.deps.runs.forget()
    assert (await desk.run(cold))["log_digest"] == warm["log_digest"]


async def test_a_long_row_of_digits_that_a_pattern_finds_does_not_block_the_run(desk: Desk) -> None:
    metrics = {"hours": {"type": "integer", "by": "pattern", "pattern": r"(\d+) hours"}}
    content = talks(metrics=metrics, schedule={"turns": 2})

    def answer(event: dict[str, Any]) -> dict[str, Any]:
        result = reply(event)
        return result | {"action": f"{'9' * 30} hours"} if event["event_type"] == "decide" else result

    assert (await desk.play(await desk.start(content), answer))["status"] == "completed"
