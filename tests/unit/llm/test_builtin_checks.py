"""Checks that an author only names: what the analyst is asked for each, and what the rehearsal finds."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.domain.plans import make_plan
from tests.unit.domain.test_quality import scenario
from tests.unit.llm import offline

from pyscrai.domain.play import advance, begin
from pyscrai.domain.rules import BUILT_IN_CHECKS, problems
from pyscrai.domain.scenario import Check, Scenario
from pyscrai.domain.work import Result, Work
from pyscrai.llm.rehearsal.compose import compose
from pyscrai.prompting import render

PROFILES = [
    {"seat": "ada", "title": "Ada", "role": "", "goals": ["Win"], "constraints": ["Cannot go above 20 litres"],
     "style": "", "expertise": [], "private": "The old well under the cellar floor is full."},
    {"seat": "bo", "title": "Bo", "role": "", "goals": ["Win"], "constraints": [], "style": "", "expertise": [],
     "private": ""},
]  # fmt: skip


def asked(check: dict[str, Any], *moves: tuple[str, str]) -> str:
    """The analyst's prompt for a check of a turn in which these moves were made."""
    named = {"name": "", "description": "", "prompt": ""} | check
    values = {
        "scenario": {"title": "T", "description": "", "language": "en", "challenges": []},
        "check": named, "profiles": PROFILES, "world": {"text": "Dry.", "facts": {}}, "world_before": "Dry.",
        "moves": [{"seat": who.lower(), "title": who, "action": text} for who, text in moves],
        "history": [], "summary": [], "instructions": "", "turn": 1, "turns": 2, "turn_length": "",
    }  # fmt: skip
    return render(offline.event_type("check").prompt, values)


@pytest.mark.parametrize("name", sorted(BUILT_IN_CHECKS))
def test_each_has_a_meaning_and_a_way(name: str) -> None:
    prompt = asked({"name": name})
    assert f"- Name: {name}\n- What it is about: whether" in prompt
    assert "- How: " in prompt
    own = asked({"name": name, "prompt": "My own way."})
    assert "- How: My own way." in own
    assert "whether" not in own.partition("## Who they are")[0]


def test_a_name_is_enough_and_a_mistyped_one_is_not() -> None:
    document = scenario(checks={"world_coherence": {}, "decision_consistancy": {}})
    found = [one for one in problems(Scenario.model_validate(document)) if one.pointer.startswith("/checks")]
    assert [(one.pointer, one.hint) for one in found] == [
        ("/checks/decision_consistancy", 'did you mean "decision_consistency"?')
    ]


def found_by(name: str, *moves: tuple[str, str]) -> Any:
    made = compose("", asked({"name": name}, *moves), offline.event_type("check").result_schema, 1)
    assert isinstance(made, dict)
    return made


def test_what_the_rehearsal_finds() -> None:
    secret = "Everybody knows that the old well under the cellar floor is full."
    heard = found_by("information_access", ("Bo", secret), ("Ada", secret))
    assert heard["issues"] == ["Bo said what only Ada knows."]
    assert found_by("information_access", ("Bo", "I wait."))["consistent"]
    assert found_by("decision_consistency", ("Ada", "I offer 30 litres."))["issues"] == [
        "Ada named 30, which their own constraints rule out."
    ]
    assert found_by("world_coherence", ("Ada", "I offer 30 litres."))["consistent"]


def test_a_finding_names_its_seats() -> None:
    plan = make_plan(scenario(checks={"information_access": Check().model_dump()}, schedule={"turns": 1}))

    def reply(work: Work) -> dict[str, Any]:
        if work.phase == "validation":
            return {"consistent": False, "issues": ["Bo said what only Ada knows."], "severity": "low"}
        if work.phase == "decision":
            return {"reasoning": "-", "goals": [], "action": "I wait."}
        return {"narrative": "Dry.", "facts": {}, "changes": []}

    move = begin(plan)
    lines = list(move.entries)
    while move.work:
        results = [Result(work=work, value=reply(work)) for work in move.work]
        move = advance(plan, move.state, results, seq=len(lines), step=1)
        lines += move.entries
    [check] = [entry for entry in lines if entry.kind == "check"]
    assert check.body["seats"] == ["ada", "bo"]
