"""A turn with everything in it, and a death in each of its phases: the story is that of an undisturbed run.

The same after a pause in each phase, and with one engine for the seats or four.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.acceptance.fleet import Fleet, fleet, until
from tests.acceptance.test_golden import SAID
from tests.acceptance.test_leaks import ANSWERS

from pyscrai.domain.entry import STORY
from pyscrai.domain.scenario import Scenario

QUICK = {"PYSCRAI_LEASE_SECONDS": "1", "PYSCRAI_HEARTBEAT_SECONDS": "0.25"}
LATENCY = 0.4
PHASES: list[tuple[str, dict[str, Any]]] = [
    ("communication", {"round": 1}),
    ("communication", {"round": 2}),
    ("coalition", {"round": 1}),
    ("coalition", {"round": 2}),
    ("decision", {}),
    ("world_update", {}),
    ("world_update", {"again": True}),
    ("validation metrics", {}),
    ("report", {}),
]
"""Phases (two: side by side), and what the payload of their events says, in the order of a turn."""
AJAR = {"narrative": "The door stands ajar.", "facts": {"door": "ajar"}, "changes": ["the door"]}
OFFERS = ({"name": "Two of us", "purpose": "To stand together.", "with": ["bo"]}, "Gladly.")


def assembly(turns: int) -> dict[str, Any]:
    """Letters, coalitions, a narrator who contradicts the facts in each turn, checks beside metrics, a report."""
    return Scenario.model_validate(
        {
            "name": "assembly",
            "world": {
                "text": "A hall.",
                "facts": {"door": "shut"},
                "variables": {"door": {"type": "category", "categories": ["open", "shut"]}},
            },
            "seats": {seat: {"goals": ["be heard"]} for seat in ("ada", "bo", "cy")},
            "schedule": {"turns": turns},
            "communication": {"bilateral": True, "statements": True, "coalitions": True},
            "metrics": {"mood": {"type": "text", "by": "model"}},
            "checks": {"sound": {"description": "Is it sound?"}},
            "reports": {"every": 1},
        }
    ).content()


def script(path: Path) -> str:
    """Every call takes a while, so that a death finds it under way; a proposal is made, and accepted, in each turn."""
    offer, reason = OFFERS
    told: list[tuple[dict[str, Any], dict[str, Any]]] = [
        *((when, answer) for when, answer in ANSWERS if when["event_type"] not in ("world_update", "coalition")),
        ({"event_type": "world_update"}, AJAR),
        ({"event_type": "coalition"}, {"thought": "Hm.", "proposal": None, "leave": []}),
        ({"event_type": "coalition", "seat": "ada"}, {"thought": "Hm.", "proposal": offer, "leave": []}),
    ]
    for turn in (1, 2):
        answers = [{"coalition": f"t{turn}-ada", "accept": True, "reason": reason}]
        when = {"event_type": "coalition", "seat": "bo", "turn": turn, "call": 2}
        told.append((when, {"thought": "Hm.", "answers": answers}))
    path.write_text(
        yaml.safe_dump({"answers": [{"when": w, "answer": answer, "latency": LATENCY} for w, answer in told]})
    )
    return f"scripted:{path}"


Events = list[dict[str, Any]]


def leased(machines: Fleet, run: dict[str, Any]) -> Events:
    """The events of a run that engines work on now."""
    items: Events = machines.get("/events", status="processing", run_id=run["id"], limit=200)["items"]
    return items


def under_way(machines: Fleet, run: dict[str, Any], turn: int, phases: str, payload: dict[str, Any]) -> Events:
    """What engines work on now, where that is events of all these phases; else nothing."""
    wanted = {"round": None, "again": None} | payload
    found = [
        event
        for event in leased(machines, run)
        if event["turn"] == turn and {key: event["data"].get(key) for key in wanted} == wanted
    ]
    return found if {event["phase"] for event in found} >= {*phases.split()} else []


def disturbed(machines: Fleet, run: dict[str, Any], turn: int, disturb: Callable[[Events], None]) -> None:
    """In each phase of a turn, while an event of it is worked on."""
    for phases, payload in PHASES:
        place = machines, run, turn, phases, payload
        disturb(until(f"{phases} {payload} of turn {turn}", lambda place=place: under_way(*place)))  # type: ignore[misc]


@pytest.mark.timeout(300)
def test_a_death_or_a_pause_in_every_phase(dsn: str, tmp_path: Path) -> None:
    model = script(tmp_path / "script.yaml")
    with fleet(dsn, tmp_path / "fleet", **QUICK) as machines:
        expected = machines.ended(machines.play(assembly(2), model=model))
        assert expected["status"] == "completed", expected["reason"]
        assert_everything(machines, expected)

        for more in ("actor-2", "actor-3", "actor-4"):
            machines.start(more)
        until("four engines for the seats", lambda: len(machines.pids()) == 6)
        paused = machines.play(assembly(2), model=model)
        disturbed(machines, paused, 1, lambda _: pause(machines, paused))
        assert_same(machines, paused, expected)

        run = machines.play(assembly(2), model=model, max_losses=1000)
        disturbed(machines, run, 1, lambda events: kill_the_holder(machines, events))
        disturbed(machines, run, 2, lambda _: again(machines, "api"))
        assert_same(machines, run, expected)


def kill_the_holder(machines: Fleet, events: Events) -> None:
    """kill -9 an engine that works on one of these, and start another in its place."""
    names = machines.pids()
    again(machines, next(names[event["engine_id"]] for event in events if event["engine_id"] in names))


def again(machines: Fleet, name: str) -> None:
    """kill -9, and another in its place."""
    machines.kill(name)
    machines.start(name)
    if name == "api":
        until("the API", machines.ready)


def pause(machines: Fleet, run: dict[str, Any]) -> None:
    """Until what was under way has ended, and on again."""
    machines.post(f"/runs/{run['id']}/pause")
    until("the calls under way", lambda: not leased(machines, run))
    assert machines.get(f"/runs/{run['id']}")["status"] == "paused"
    machines.post(f"/runs/{run['id']}/resume")


def assert_same(machines: Fleet, run: dict[str, Any], expected: dict[str, Any]) -> None:
    ended = machines.ended(run)
    assert ended["status"] == "completed", ended["reason"]
    for line, other in zip(story(machines, run), story(machines, expected), strict=True):
        assert line == other
    assert ended["log_digest"] == expected["log_digest"]


def story(machines: Fleet, run: dict[str, Any]) -> list[dict[str, Any]]:
    entries = machines.get(f"/runs/{run['id']}/log", limit=1000)["items"]
    return [{key: entry[key] for key in SAID} for entry in entries if entry["kind"] in STORY]


def assert_everything(machines: Fleet, run: dict[str, Any]) -> None:
    """The story has each kind of line that such a turn makes: else its phases would not have been played."""
    entries = machines.get(f"/runs/{run['id']}/log", limit=1000)["items"]
    of = {kind: [entry for entry in entries if entry["kind"] == kind] for kind in {e["kind"] for e in entries}}
    assert {"message", "proposal", "decision", "world_update", "check", "metric", "report"} <= of.keys()
    assert {entry["body"]["act"] for entry in of["proposal"]} >= {"propose", "accept", "formed"}
    assert [e["body"].get("action") for e in of["check"] if e["body"]["check"] == "facts"] == ["reask", None] * 2
    rounds = [entry["body"].get("round") for entry in of["phase_complete"] if entry["turn"] == 1]
    assert rounds.count(2) == 2, "both letters and coalitions had a second round"
