"""An author adds an event type and uses it in a flow, over HTTP alone: no code of ours is changed for it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.runs.desk import Desk, done

from pyscrai.domain.scenario import Scenario

VERDICT: dict[str, Any] = {
    "format": "pyscrai/event-type@1",
    "name": "verdict",
    "lane": "court-clerk",
    "system": "You are {{ you.title }}.",
    "prompt": "{{ step.prompt }}\n{% for line in history %}{{ line.title }}: {{ line.text }}\n{% endfor %}",
    "payload_schema": {"type": "object", "properties": {"step": {"type": "string"}}},
    "result_schema": {
        "type": "object",
        "properties": {"guilty": {"type": "boolean"}, "months": {"type": "integer", "minimum": 0}},
        "required": ["guilty", "months"],
        "additionalProperties": False,
    },
}
FLOW: dict[str, Any] = {
    "opened": {"by": "system", "prompt": "The court is in session."},
    "plea": {"by": "defence", "on": "opened"},
    "verdict": {
        "by": "judge",
        "on": "plea",
        "event": "verdict@1",
        "prompt": "Decide.",
        "result": {"grounds": {"type": "string", "minLength": 3}},
    },
    "minutes": {"by": "analyst", "on": "verdict"},
    "out": {"by": "narrator", "on": "end"},
}
SEATS = {"judge": {"title": "The judge", "role": "decides"}, "defence": {"title": "The defence", "role": "pleads"}}
LANES = ("actor", "narrator", "analyst", "court-clerk")
ANSWERS: dict[str, dict[str, Any]] = {
    "flow_step": {"text": "My client was asleep.", "to": None, "thought": "I hope they believe it"},
    "verdict": {"guilty": False, "months": 0, "grounds": "He was asleep."},
    "report": {"summary": "It was short.", "findings": []},
    "scene": {"narrative": "The doors are open.", "facts": {"doors": "open"}, "changes": []},
}


def court(**flow: Any) -> dict[str, Any]:
    document = {"name": "court", "world": {"text": "A small court."}, "seats": SEATS, "flow": FLOW | flow}
    return Scenario.model_validate({**document, "schedule": {"policy": "flow@1", "turns": 9}}).content()


def reply(event: dict[str, Any]) -> dict[str, Any]:
    return ANSWERS[event["event_type"]]


async def play(desk: Desk, run: dict[str, Any]) -> dict[str, Any]:
    while await desk.work(LANES, reply):
        pass
    return await desk.run(run)


async def test_an_event_type_of_ones_own_on_a_lane_of_ones_own(desk: Desk) -> None:
    made = await desk.ok("POST", "/templates/event-types", VERDICT)
    assert made["version"] == 1
    run = await desk.start(court())
    assert await desk.work(("actor",), reply) == 1
    [event] = await desk.claim("court-clerk")
    assert (event["event_type"], event["phase"], event["data"]) == ("verdict", "message", {"step": "verdict"})
    assert event["prompt"]["user"] == VERDICT["prompt"]
    assert event["view"]["step"]["prompt"] == "Decide."
    assert [line["text"] for line in event["view"]["history"]] == ["The court is in session.", "My client was asleep."]
    assert event["result_schema"]["required"] == ["guilty", "months", "grounds"]
    assert await desk.finish("court-clerk", done(event, {"guilty": False, "months": 0})) == ["invalid"]
    await desk.deps.pool.execute("UPDATE queue SET state = 2, run_at = now() WHERE state = 1")
    ended = await play(desk, run)
    assert (ended["status"], ended["outcome"], ended["turn"]) == ("completed", "flow_complete", 5)
    log = await desk.log(run)
    said = {entry["body"]["step"]: entry["body"] for entry in log if entry["kind"] == "message"}
    assert said["verdict"]["fields"] == {"guilty": False, "months": 0, "grounds": "He was asleep."}
    assert said["verdict"]["text"].splitlines() == ["Grounds: He was asleep.", "Guilty: false", "Months: 0"]
    assert [entry["visible_to"] for entry in log if entry["kind"] == "report"] == ["none"]


async def test_the_version_that_a_step_names_is_the_one_that_it_plays(desk: Desk) -> None:
    await desk.ok("POST", "/templates/event-types", VERDICT)
    first = await play(desk, await desk.start(court()))
    changed = VERDICT | {"prompt": "Decide quickly."}
    await desk.ok("PUT", "/templates/event-types/verdict", changed)
    again = await play(desk, await desk.start(court()))
    assert again["log_digest"] == first["log_digest"]
    newest = court(verdict=FLOW["verdict"] | {"event": "verdict"})
    other = await play(desk, await desk.start(newest))
    assert other["status"] == "completed"
    assert other["log_digest"] != first["log_digest"]


async def test_an_event_type_that_is_not_there_is_named_before_anything_runs(desk: Desk) -> None:
    await desk.scenario(court())
    problem = await desk.refused("POST", "/runs", {"scenario": "court"})
    assert [item["pointer"] for item in problem["errors"]] == ["/flow/verdict/event"]


async def test_own_lanes_stay_where_they_are_when_a_run_has_a_pool(desk: Desk) -> None:
    await desk.ok("POST", "/templates/event-types", VERDICT)
    name = await desk.scenario(court())
    run = await desk.ok("POST", "/runs", {"scenario": name, "pool": "mine"})
    assert await desk.work(("actor:mine",), reply) == 1
    await desk.ok("POST", f"/runs/{run['id']}/resume", {"move": True, "pool": "yours"})
    assert await desk.work(("court-clerk",), reply) == 1
    assert await desk.work(("analyst:yours",), reply) == 1


@pytest.mark.parametrize("seat", ["judge", "defence"])
async def test_a_seat_reads_its_own_snapshot_of_a_flow(desk: Desk, seat: str) -> None:
    await desk.ok("POST", "/templates/event-types", VERDICT)
    run = await play(desk, await desk.start(court()))
    snapshot = await desk.ok("GET", f"/runs/{run['id']}/snapshot", seat=seat)
    assert snapshot["view"]["you"]["seat"] == seat
    assert "findings" not in str(snapshot)


async def test_a_flow_that_only_ticks_is_refused(desk: Desk) -> None:
    """A step that never fires keeps the clock going: no work for anybody, however many turns."""
    flow = {
        "tick": {"by": "system", "prompt": "Tick."},
        "tock": {"by": "system", "prompt": "Tock.", "on": "turn_complete", "repeat": 5000},
        "late": {"by": "judge", "on": "turn_complete", "when": "heat > 5", "prompt": "Now."},
    }
    metrics = {"heat": {"type": "integer", "by": "keyword", "keywords": ["fire"]}}
    document = {"name": "clock", "world": {"text": "A clock."}, "seats": SEATS, "flow": flow, "metrics": metrics}
    schedule = {"policy": "flow@1", "turns": 5000}
    name = await desk.scenario(Scenario.model_validate({**document, "schedule": schedule}).content())
    problem = await desk.refused("POST", "/runs", {"scenario": name})
    assert (problem["status"], problem["code"]) == (422, "policy_error")
    assert "1000 moves without any work" in problem["detail"]
