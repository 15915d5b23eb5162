"""What a seat alone knows reaches nobody else, through separate processes: requests as they were recorded, log, stream
and snapshot as each seat reads them. The property over random scenarios is in tests/unit/domain/test_leaks.py."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.acceptance.fleet import Fleet, fleet
from tests.unit.domain.canaries import CANARY, canary, seat_of

from pyscrai.domain.scenario import Scenario

SEATS = ("ada", "bo", "cy")
SAYS = {"text": "Nothing new.", "to": None, "closing": False, "thought": "Hm."}
LETTER = {"text": "Shall we talk?", "closing": False}
OFFER = {"name": "Two of us", "purpose": "To stand together.", "with": ["bo"]}
TOOL = "register-of-ada"
ANSWERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"event_type": "decide"}, {"reasoning": "Because.", "goals": [], "action": "I wait."}),
    ({"event_type": "world_update"}, {"narrative": "All is as it was.", "facts": {}, "changes": ["nothing"]}),
    ({"event_type": "scene"}, {"narrative": "A quiet hall.", "facts": {}, "changes": ["nothing"]}),
    ({"event_type": "check"}, {"consistent": True, "issues": [], "severity": "none"}),
    ({"event_type": "measure"}, {"values": {"mood": "calm"}}),
    ({"event_type": "turn_report"}, {"summary": "Quiet.", "findings": [], "turning_points": [], "influence": [],
                                     "positions": []}),
    ({"event_type": "report"}, {"summary": "Quiet.", "findings": []}),
    ({"event_type": "oracle"}, {"content": "It is in order.", "documents": []}),
    ({"event_type": "flow_step"}, {"text": "Nothing new.", "to": None, "thought": "Hm.", "price": "none"}),
    ({"event_type": "agent_message"}, {**SAYS, "tool_call": None}),
    ({"event_type": "agent_message", "call": 2}, SAYS),
    ({"event_type": "agent_message", "seat": "ada"}, {**SAYS, "tool_call": {"name": TOOL, "input": {}}}),
    ({"event_type": "agent_message", "seat": "ada", "call": 2}, SAYS),
    ({"event_type": "letters"}, {"thought": "Hm.", "letters": [], "statement": "Good day."}),
    ({"event_type": "letters", "seat": "ada"}, {"thought": "Hm.", "letters": [{**LETTER, "to": "bo"}],
                                                "statement": None}),
    ({"event_type": "letters", "seat": "bo"}, {"thought": "Hm.", "letters": [{**LETTER, "to": "ada"}],
                                               "statement": None}),
    # In the second round there is no statement: what does not fit is asked for again.
    ({"event_type": "letters", "seat": "ada", "call": 2}, {"thought": "Hm.", "letters": [{**LETTER, "to": "bo"}]}),
    ({"event_type": "letters", "seat": "bo", "call": 2}, {"thought": "Hm.", "letters": [{**LETTER, "to": "ada"}]}),
    ({"event_type": "coalition"}, {"thought": "Hm.", "proposal": None, "leave": []}),
    ({"event_type": "coalition", "seat": "ada", "turn": 1}, {"thought": "Hm.", "proposal": OFFER, "leave": []}),
    ({"event_type": "coalition", "seat": "bo", "call": 2},
     {"thought": "Hm.", "answers": [{"coalition": "t1-ada", "accept": True, "reason": "Gladly."}]}),
]  # fmt: skip
ALIKE = {
    "world": {"text": "A hall.", "facts": {"door": "shut"}},
    "metrics": {"mood": {"type": "text", "by": "model"}},
    "checks": {"sound": {"description": "Is it sound?"}},
}


def documents(chance: random.Random) -> dict[str, dict[str, Any]]:
    """A scenario of each policy, with everything that it can play."""
    seats = {seat: seat_of(seat, chance) for seat in SEATS}
    rumour = {"name": "rumour", "text": canary("cy", "rumour", chance), "turns": [1], "seats": ["cy"]}
    tool = {"name": TOOL, "description": canary("ada", "tool", chance), "guidance": canary("ada", "guidance", chance)}
    return {
        "turns": {
            **ALIKE,
            "seats": seats,
            "schedule": {"policy": "turns@1", "turns": 2},
            "communication": {"bilateral": True, "statements": True, "coalitions": True},
            "happenings": [rumour],
            "reports": {"every": 1, "at_end": True},
        },
        "dialogue": {
            **ALIKE,
            "seats": {**seats, "ada": {**seats["ada"], "tools": [tool]}},
            "schedule": {"policy": "dialogue@1", "turns": 4, "limits": {"tool_calls": 1}},
        },
        "flow": {
            **ALIKE,
            "seats": seats,
            "schedule": {"policy": "flow@1", "turns": 4},
            "flow": {
                "opens": {"by": "ada", "to": "bo", "result": {"price": {"type": "string"}}},
                "tells": {"by": "narrator", "on": "opens"},
                "answers": {"by": "bo", "on": "tells", "result": {"price": {"type": "string"}}},
                "looks": {"by": "analyst", "on": "answers"},
            },
        },
    }


@pytest.mark.timeout(240)
def test_requests_log_stream_and_snapshot_of_each_seat(dsn: str, tmp_path: Path) -> None:
    told = [{"when": when, "answer": answer} for when, answer in ANSWERS]
    (tmp_path / "quiet.yaml").write_text(yaml.safe_dump({"answers": told}))
    with fleet(dsn, tmp_path / "fleet") as machines:
        for name, document in documents(random.Random(11)).items():
            content = Scenario.model_validate({"name": f"canaries-{name}", **document}).content()
            run = machines.ended(machines.play(content, model=f"scripted:{tmp_path / 'quiet.yaml'}"))
            assert run["status"] == "completed", run["reason"]
            look(machines, run, openings=opened(machines, run))


def look(machines: Fleet, run: dict[str, Any], openings: set[tuple[str, str]]) -> None:
    """No canary where it should not be; and each seat's own ones where they should be."""
    own: set[str] = set()
    for call in pages(machines, f"/runs/{run['id']}/calls"):
        asked = found(json.dumps(call["request"]))
        who = call["seat"] or ("narrator" if call["phase"] == "world_update" else "analyst")
        own |= {seat for seat, _ in asked if seat == who}
        if who != "analyst":
            assert not {one for one in asked if one[0] != who} - openings, (run["label"], who, call["phase"])
    acted = {entry["seat"] for entry in machines.get(f"/runs/{run['id']}/log")["items"] if entry["kind"] == "thought"}
    assert acted == own, "what is searched for was there to be found"
    for seat in SEATS:
        read = {
            "log": json.dumps(list(pages(machines, f"/runs/{run['id']}/log", seat=seat))),
            "stream": machines.http.get(f"/runs/{run['id']}/stream", params={"seat": seat}).text,
            "snapshot": json.dumps(machines.get(f"/runs/{run['id']}/snapshot", seat=seat)),
        }
        assert all("run_complete" in read[where] for where in ("log", "stream"))
        assert (seat, "private") in found(read["snapshot"])
        for where, text in read.items():
            assert not {one for one in found(text) if one[0] != seat} - openings, (run["label"], where, seat)
            assert seat == "ada" or TOOL not in text, (run["label"], where, seat)


def opened(machines: Fleet, run: dict[str, Any]) -> set[tuple[str, str]]:
    """Openings that were spoken: no secret any more."""
    said = [e["body"]["text"] for e in machines.get(f"/runs/{run['id']}/log")["items"] if e["kind"] == "message"]
    return {one for one in found(json.dumps(said)) if one[1] == "opening"}


def found(text: str) -> set[tuple[str, str]]:
    return {(match[1], match[2]) for match in CANARY.finditer(text)}


def pages(machines: Fleet, path: str, **params: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after: dict[str, Any] = {}
    while True:
        page = machines.get(path, **params, **after)
        items += page["items"]
        if page["next"] is None:
            return items
        after = {"after": page["next"]}
