"""Edits of one run: what they change, what they leave, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.domain.plans import TALKS, make_plan

from pyscrai.domain.digest import first_link
from pyscrai.domain.edits import edited, problems
from pyscrai.domain.scenario import Scenario


def talks(**more: Any) -> Scenario:
    return Scenario.model_validate({**TALKS, **more})


def test_only_the_named_fields_change() -> None:
    changed = edited(talks(), {"board": {"goals": ["growth"], "private": None}, "narrator": {"instructions": "Dry."}})
    assert (changed.seats["board"].goals, changed.seats["board"].private) == (["growth"], "")
    assert changed.seats["board"].role == "runs the firm"
    assert changed.narrator.instructions == "Dry."
    assert changed.seats["union"] == talks().seats["union"]
    assert list(changed.seats) == ["union", "board"]
    assert edited(talks(), {}) == talks()


@pytest.mark.parametrize(
    ("edits", "pointer", "why"),
    [
        ({"mayor": {"goals": []}}, "/mayor", "no such seat; there are union, board, narrator, analyst"),
        ({"board": {"gaols": []}}, "/board/gaols", 'did you mean "goals"?'),
        ({"narrator": {"goals": []}}, "/narrator/goals", "no such field"),
        ({"board": {"goals": "growth"}}, "/board/goals", "valid list"),
        ({"board": {"goals": ["a", 3]}}, "/board/goals/1", "valid string"),
        ({"board": {"temperature": 9}}, "/board/temperature", "less than or equal to 2"),
        ({"board": {"title": "The union"}}, "/board/title", "the same title"),
    ],
)
def test_what_is_refused(edits: dict[str, Any], pointer: str, why: str) -> None:
    ((place, message),) = problems(talks(), edits)
    assert place == pointer
    assert why in message


def test_what_a_template_forbids() -> None:
    inner = {"goals": "append_allowed", "backstory": "forbidden"}
    scenario = talks(extensions={"pyscrai": {"overrides": {"board": {"personality_config": inner}}}})
    assert list(problems(scenario, {"board": {"goals": ["lower cost", "growth"], "role": "x"}})) == []
    found = dict(problems(scenario, {"board": {"goals": ["growth"], "situation": "A crisis."}}))
    assert list(found) == ["/board/goals", "/board/situation"]
    assert "may only be added to" in found["/board/goals"]
    assert "may not be changed" in found["/board/situation"]


def test_edits_are_part_of_the_first_link() -> None:
    assert first_link(make_plan(edits={"board": {"goals": ["growth"]}})) != first_link(make_plan())
    assert first_link(make_plan(edits={})) == first_link(make_plan())
