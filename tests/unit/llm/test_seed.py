"""The seeded event types and the example scenarios: each declared field reaches the prompt of its own seat only."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from pyscrai.domain.play import advance, begin
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.view import view
from pyscrai.domain.work import Result
from pyscrai.prompting import check, known_variables

spec = importlib.util.spec_from_file_location("offline_seed", Path(__file__).parent / "offline.py")
assert spec
assert spec.loader
offline = importlib.util.module_from_spec(spec)
sys.modules["offline_seed"] = offline
spec.loader.exec_module(offline)

TEXTS = ["title", "role", "situation", "style", "private", "instructions", "opening"]
NAMES = ["flow_step", "scene", "report", "decide", "agent_message", "world_update", "check", "measure"]


@pytest.mark.parametrize("name", NAMES)
def test_a_seeded_prompt_uses_only_what_there_is(name: str) -> None:
    kind = offline.event_type(name)
    assert kind.name == name
    assert check(kind.prompt, known_variables(kind.lane)) == []
    assert check(kind.system, known_variables(kind.lane)) == []
    jsonschema_rs.validator_for(kind.result_schema, offline=True)
    jsonschema_rs.validator_for(kind.payload_schema, offline=True)


def seat(mark: str) -> dict[str, Any]:
    words = {
        key: f"{mark}-{key}" for key in ["title", "role", "situation", "style", "private", "instructions", "opening"]
    }
    lists = {"goals": [f"{mark}-goal"], "constraints": [f"{mark}-constraint"]}
    principal = {"type": "individual", "name": f"{mark}-principal", "description": f"{mark}-principal-description"}
    known = {"expertise": {f"{mark}-field": "expert"}, "knowledge": {f"{mark}-key": f"{mark}-value"}}
    return {**words, **lists, **known, "principal": principal}


def declared(policy: str) -> Scenario:
    schedule = {"policy": policy, "turns": 4, "turn_length": "mark-turn-length", "first": "alpha"}
    world = {"text": "mark-world", "facts": {"mark_fact": "mark-fact-value"}, "challenges": ["mark-challenge"]}
    metric = {"description": "mark-metric", "unit": "mark-unit", "range": [3, 77], "prompt": "mark-metric-prompt"}
    checks = {"fair": {"description": "mark-check", "prompt": "mark-check-prompt"}}
    told = {"name": "marks", "title": "mark-title", "description": "mark-description", "language": "xx-mark"}
    voices = {"narrator": {"instructions": "mark-narrator"}, "analyst": {"instructions": "mark-analyst"}}
    seats = {"alpha": seat("alpha"), "beta": seat("beta")}
    parts = {"world": world, "seats": seats, "schedule": schedule, "metrics": {"m": metric}, "checks": checks}
    if policy == "flow@1":
        parts["flow"] = flow()
    return Scenario.model_validate(told | voices | parts)


def flow() -> dict[str, Any]:
    field = {"mark_field": {"type": "string", "description": "mark-field", "enum": ["mark-one", "mark-two"]}}
    return {
        "first": {"by": "alpha", "prompt": "mark-first"},
        "scene": {"by": "narrator", "on": "first", "prompt": "mark-scene", "result": field},
        "all": {"by": "all_seats", "on": "scene", "prompt": "mark-moment", "result": field},
        "sum": {"by": "analyst", "on": "all", "prompt": "mark-sum", "result": field},
    }


def prompts(policy: str) -> dict[tuple[str, str | None], str]:
    """The text that each event of the first four turns puts before its model."""
    answers = {
        "decide": {"reasoning": "mark-reasoning", "goals": ["g"], "action": "mark-action"},
        "agent_message": {"text": "mark-text", "to": None, "closing": False, "thought": "mark-reasoning"},
        "world_update": {"narrative": "mark-narrative", "facts": {"mark_new": 4711}, "changes": []},
        "check": {"consistent": True, "issues": [], "severity": "none"},
        "measure": {"values": {"m": 42}},
        "flow_step": {"text": "mark-action", "to": None, "thought": "mark-reasoning"},
        "scene": {"narrative": "mark-narrative", "facts": {"mark_new": 4711}, "changes": []},
        "report": {"summary": "mark-summary", "findings": []},
    }
    plan = offline.plan_of(declared(policy))
    moved, log, seen = begin(plan), [], {}
    log += moved.entries
    for step in range(1, 20):
        if not moved.work or moved.state.turn > 4:
            break
        recent = [entry for entry in log if entry.seq >= (moved.state.marks or [1])[0]]
        for number, work in enumerate(moved.work):
            asked = offline.question(plan, view(plan, moved.state, recent, work), work, number)
            seen[asked.event_type, work.seat] = f"{asked.system}\n{asked.user}"
        results = [Result(work=work, value=answers[plan.event_type(work).name]) for work in moved.work]
        moved = advance(plan, moved.state, results, seq=log[-1].seq, step=step)
        log += moved.entries
    return seen


OWN = [*TEXTS[:-1], "goal", "constraint", "principal", "principal-description", "field", "value"]
EVERYWHERE = ["mark-title", "mark-description", "mark-turn-length"]


@pytest.mark.parametrize(
    ("policy", "kind"), [("turns@1", "decide"), ("dialogue@1", "agent_message"), ("flow@1", "flow_step")]
)
def test_each_declared_field_reaches_its_own_seat_and_no_other(policy: str, kind: str) -> None:
    seen = prompts(policy)
    for me, other in (("alpha", "beta"), ("beta", "alpha")):
        text = seen[kind, me]
        shared = ["mark-world" if policy == "dialogue@1" else "mark-narrative", "mark-challenge", "mark-fact-value"]
        for word in [f"{me}-{key}" for key in OWN] + EVERYWHERE + shared + ["xx-mark"]:
            assert word in text, word
        assert f"{other}-title" in text
        assert f"{other}-role" in text
        hidden = [key for key in OWN if key not in ("title", "role")]
        assert [key for key in hidden if f"{other}-{key}" in text] == []
        first_words = {"turns@1": (), "dialogue@1": ("alpha",), "flow@1": ("beta",)}[policy]
        assert "mark-reasoning" in text or me in first_words


def test_an_opening_reaches_the_first_prompt() -> None:
    plan = offline.plan_of(declared("turns@1"))
    moved = begin(plan)
    work = moved.work[0]
    asked = offline.question(plan, view(plan, moved.state, moved.entries, work), work, 0)
    assert "alpha-opening" in asked.user
    assert "beta-opening" not in asked.user


def test_the_narrator_sees_what_was_done_and_nothing_private() -> None:
    text = prompts("turns@1")["world_update", None]
    for word in [*EVERYWHERE, "mark-narrator", "mark-action", "mark-challenge", "mark-fact-value", "4711", "xx-mark"]:
        assert word in text, word
    for mark in ("alpha", "beta"):
        assert [key for key in OWN if key not in ("title", "role") and f"{mark}-{key}" in text] == []


def test_a_flow_tells_everybody_what_the_moment_asks() -> None:
    seen = prompts("flow@1")
    asked = ["mark-field", "mark_field", "mark-one, mark-two"]
    shown = {
        ("flow_step", "alpha"): ["mark-moment", "mark-action", "mark-narrative"],
        ("flow_step", "beta"): ["mark-moment", "mark-action", "mark-narrative"],
        ("scene", None): ["mark-scene", "mark-action", "mark-narrator", "mark-world"],
        ("report", None): [
            "mark-sum",
            "mark-action",
            "mark-analyst",
            "mark-narrative",
            "alpha-private",
            "beta-private",
        ],
    }
    for place, words in shown.items():
        for word in [*words, *asked, *EVERYWHERE, "xx-mark", "mark-challenge"]:
            assert word in seen[place], (place, word)
    assert [key for key in OWN if key not in ("title", "role") and f"alpha-{key}" in seen["scene", None]] == []
    assert "mark-reasoning" not in seen["scene", None]


def test_the_analyst_sees_everything_it_is_asked_about() -> None:
    seen = prompts("turns@1")
    for kind, words in {
        "check": ["fair", "mark-check", "mark-check-prompt", "alpha-private", "beta-constraint", "alpha-goal"],
        "measure": ["mark-metric", "mark-unit", "3", "77", "mark-metric-prompt", "Latest value: 42"],
    }.items():
        for word in [*words, *EVERYWHERE, "mark-analyst", "mark-action", "mark-narrative"]:
            assert word in seen[kind, None], (kind, word)


@pytest.mark.parametrize("name", ["negotiation", "dialogue", "vision"])
def test_the_examples_are_complete(name: str) -> None:
    example = offline.scenario(name)
    assert example.name == name
    assert len(example.seats) == 3
    assert all(each.private and each.goals and each.constraints and each.knowledge for each in example.seats.values())
