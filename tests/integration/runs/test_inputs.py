"""What people put into a run, at the API: when it enters the log, who learns of it, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.runs.desk import Desk, done, talks

METRICS = {"mood": {"by": "manual", "range": [0, 10]}, "trust": {"by": "model", "range": [0, 1]}}
WORLD = {"text": "A draft.", "facts": {"window": 24}, "variables": {"window": {"type": "integer", "range": [1, 72]}}}


def scenario() -> dict[str, Any]:
    return talks(world=WORLD, metrics=METRICS)


async def tell(desk: Desk, run: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    told: dict[str, Any] = await desk.ok("POST", f"/runs/{run['id']}/inputs", wanted)
    return told


async def waiting(desk: Desk, run: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await desk.ok("GET", f"/runs/{run['id']}/inputs"))["items"]
    return items


async def test_it_waits_for_the_open_step_and_enters_with_it(desk: Desk) -> None:
    run = await desk.start(scenario())
    await tell(desk, run, text="A storm.")
    await tell(desk, run, kind="system_notification", text="They bluff.", seat="union")
    await tell(desk, run, kind="edit", world="A storm rages.", facts={"window": 12})
    await tell(desk, run, kind="metric", metric="mood", value="8")
    assert [one["kind"] for one in await waiting(desk, run)] == ["input", "input", "edit", "metric"]
    assert all(entry["kind"] not in ("input", "edit") for entry in await desk.log(run))
    await desk.work(("actor",))
    assert await waiting(desk, run) == []
    log = [entry for entry in await desk.log(run) if entry["step"] == 1]
    assert [entry["kind"] for entry in log][-5:] == ["phase_complete", "input", "input", "edit", "metric"]
    assert [entry["visible_to"] for entry in log][-4:] == ["all", ["union"], "all", "none"]
    (narrator,) = await desk.claim("narrator")
    assert narrator["view"]["world"] == {"text": "A storm rages.", "facts": {"window": 12}}
    told = [line["text"] for line in narrator["view"]["history"] if line["kind"] in ("input", "edit")]
    assert told == ["A storm.", "The situation has changed. window: 12"]
    seen = [entry["body"]["text"] for entry in await desk.log(run, seat="union") if entry["kind"] == "input"]
    assert seen == ["A storm.", "They bluff."]
    assert [e["kind"] for e in await desk.log(run, seat="board")].count("input") == 1


async def test_a_run_that_stands_still_takes_it_when_it_goes_on(desk: Desk) -> None:
    run = await desk.start(scenario())
    events = await desk.claim("actor")
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    await desk.finish("actor", *[done(event) for event in events])
    assert (await desk.run(run))["open"] == 0
    await tell(desk, run, text="A storm.")
    assert len(await waiting(desk, run)) == 1
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert [entry["kind"] for entry in await desk.log(run)].count("input") == 1
    assert (await desk.play(run))["status"] == "completed"


async def test_a_run_that_is_over_takes_nothing(desk: Desk) -> None:
    run = await desk.play(await desk.start(scenario()))
    problem = await desk.refused("POST", f"/runs/{run['id']}/inputs", {"text": "Too late."})
    assert (problem["status"], "completed" in problem["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"text": ""}, "/text"),
        ({"text": "x", "seat": "mars"}, "/seat"),
        ({"text": "x", "value": 3}, ""),
        ({"kind": "edit", "world": "x", "seat": "union"}, ""),
        ({"kind": "edit"}, ""),
        ({"kind": "edit", "facts": {"window": 99}}, "/facts/window"),
        ({"kind": "metric", "metric": "trust", "value": 1}, "/metric"),
        ({"kind": "metric", "metric": "mood", "value": 11}, "/value"),
    ],
)
async def test_what_makes_no_sense_is_refused(desk: Desk, wanted: dict[str, Any], pointer: str) -> None:
    run = await desk.start(scenario())
    problem = await desk.refused("POST", f"/runs/{run['id']}/inputs", wanted)
    assert problem["status"] == 400
    assert [item["pointer"] for item in problem["errors"]] == [pointer]
    assert await waiting(desk, run) == []


async def test_a_repeated_request_puts_it_in_once(desk: Desk) -> None:
    run = await desk.start(scenario())
    url, headers = f"/api/v1/runs/{run['id']}/inputs", {"idempotency-key": "k1"}
    first = await desk.http.post(url, json={"text": "A storm."}, headers=headers)
    again = await desk.http.post(url, json={"text": "A storm."}, headers=headers)
    assert (first.status_code, again.json()) == (201, first.json())
    assert len(await waiting(desk, run)) == 1


async def test_what_was_injected_is_replayed(desk: Desk) -> None:
    run = await desk.start(scenario())
    await tell(desk, run, text="A storm.")
    await tell(desk, run, kind="metric", metric="mood", value=8)
    await desk.work(("actor",))
    await tell(desk, run, kind="edit", facts={"window": 12})
    await tell(desk, run, text="They bluff.", seat="union")
    played = await desk.play(run)
    plain = await desk.play(await desk.start(scenario()))
    assert plain["log_digest"] != played["log_digest"]
    again = await desk.ok("POST", f"/runs/{run['id']}/replay", {})
    problem = await desk.refused("POST", f"/runs/{again['id']}/inputs", {"text": "More."})
    assert "replay" in problem["detail"]
    assert (await desk.play(again))["log_digest"] == played["log_digest"]
