"""What each seat may know."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.domain.plans import TALKS, answer, make_plan

from pyscrai.domain.entry import Entry
from pyscrai.domain.play import advance, begin
from pyscrai.domain.state import State
from pyscrai.domain.view import result_schema, view
from pyscrai.domain.work import Result, Work

RICH: dict[str, Any] = {
    **TALKS,
    "description": "about hours",
    "language": "de",
    "world": {"text": "W", "facts": {"f": 1}, "challenges": ["time"]},
    "narrator": {"instructions": "be brief"},
    "analyst": {"instructions": "be strict"},
    "seats": {
        "union": {
            "title": "The union",
            "role": "role-u",
            "principal": {"type": "individual", "name": "Ada", "description": "desc-u"},
            "situation": "situation-u",
            "goals": ["goal-u"],
            "constraints": ["constraint-u"],
            "style": "style-u",
            "expertise": {"labour_law": "expert"},
            "private": "private-u",
            "knowledge": {"wages": "known-u", "table": [1, 2]},
            "instructions": "instructions-u",
            "opening": "opening-u",
        },
        "board": {"title": "The board", "role": "role-b", "expertise": "money", "private": "private-b"},
    },
}


def after_first_decisions() -> tuple[Any, State, list[Entry], list[Work]]:
    plan = make_plan(RICH)
    first = begin(plan)
    results = [Result(work=work, value=answer(work)) for work in first.work]
    second = advance(plan, first.state, results, seq=len(first.entries), step=1)
    return plan, second.state, [*first.entries, *second.entries], second.work


def test_a_seat_sees_all_of_its_own() -> None:
    plan, state, log, _ = after_first_decisions()
    seen = view(plan, state, log, Work(event_type="decide", turn=2, phase="decision", seat="union"))
    text = json.dumps(seen)
    own = ("role", "desc", "situation", "goal", "constraint", "style", "private", "known", "instructions", "opening")
    for field in own:
        assert f"{field}-u" in text
    assert seen["you"]["expertise"] == ["labour law: expert"]
    assert seen["you"]["knowledge"] == "wages: known-u\ntable: [1,2]"
    assert seen["memory"] == [{"turn": 1, "reasoning": "r1 union", "goals": ["g"]}]
    assert [line["seat"] for line in seen["history"]] == ["union", "board"]
    assert seen["others"] == [{"seat": "board", "title": "The board", "role": "role-b"}]
    assert seen["scenario"] == {
        "title": "Talks",
        "description": "about hours",
        "language": "de",
        "challenges": ["time"],
    }


def test_no_seat_sees_what_is_anothers() -> None:
    plan, state, log, _ = after_first_decisions()
    seen = json.dumps(view(plan, state, log, Work(event_type="decide", turn=2, phase="decision", seat="board")))
    private = ("desc", "situation", "goal", "constraint", "style", "private", "known", "instructions", "opening")
    for field in private:
        assert f"{field}-u" not in seen
    assert "r1 union" not in seen


def test_the_narrator_sees_moves_but_no_secrets() -> None:
    plan, state, log, work = after_first_decisions()
    seen = view(plan, state, log, work[0])
    assert [move["action"] for move in seen["moves"]] == ["union offers 10 hours", "board offers 10 hours"]
    assert seen["instructions"] == "be brief"
    for secret in ("private-u", "private-b", "r1 union", "goal-u", "known-u"):
        assert secret not in json.dumps(seen)


def test_the_analyst_sees_profiles_check_and_metrics() -> None:
    plan, state, log, _ = after_first_decisions()
    check = Work(event_type="check", turn=1, phase="validation", payload={"check": "coherent"})
    seen = view(plan, state, log, check)
    assert seen["check"] == {"name": "coherent", "description": "does it follow?", "prompt": ""}
    assert [profile["private"] for profile in seen["profiles"]] == ["private-u", "private-b"]
    measure = Work(event_type="measure", turn=1, phase="metrics", payload={"metrics": ["trust"]})
    seen = view(plan, state, log, measure)
    assert seen["metrics"][0]["range"] == [0, 1]
    assert seen["check"] is None
    assert seen["instructions"] == "be strict"


def test_moves_of_the_same_step_are_not_seen() -> None:
    plan = make_plan(RICH)
    first = begin(plan)
    seen = view(plan, first.state, first.entries, first.work[1])
    assert seen["history"] == []
    assert seen["turn"] == 1


def test_the_schema_of_a_measurement_is_exact_for_the_run() -> None:
    document = {
        **RICH,
        "metrics": {
            "trust": {"range": [0, 1]},
            "mood": {"type": "category", "categories": ["calm", "angry"], "per_seat": True},
            "done": {"type": "boolean"},
            "note": {"type": "text"},
            "count": {"type": "integer", "seat": "union"},
        },
    }
    plan = make_plan(document)
    names = list(plan.scenario.metrics)
    schema = result_schema(plan, Work(event_type="measure", turn=1, phase="metrics", payload={"metrics": names}))
    values = schema["properties"]["values"]
    assert values["required"] == names
    assert values["properties"]["trust"] == {"type": "number", "minimum": 0, "maximum": 1}
    assert values["properties"]["mood"]["properties"]["union"]["enum"] == ["calm", "angry"]
    assert view(
        plan, begin(plan).state, [], Work(event_type="measure", turn=1, phase="metrics", payload={"metrics": names})
    )["metrics"][4]["seats"] == ["union"]
    plain = result_schema(plan, Work(event_type="decide", turn=1, phase="decision", seat="union"))
    assert plain == {"type": "object"}
