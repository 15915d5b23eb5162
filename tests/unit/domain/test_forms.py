"""What a person is asked: readable, without what only a model has to say, and complete again when it is submitted."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from tests.unit.domain.plans import make_plan

from pyscrai.domain.forms import complete, form

DECIDE = {
    "type": "object",
    "properties": {
        "reasoning": {"type": "string", "minLength": 1},
        "goals": {"type": "array", "items": {"type": "string"}},
        "action": {"type": "string", "minLength": 1, "maxLength": 20},
        "own_field": {"enum": ["union", "other"]},
    },
    "required": ["reasoning", "goals", "action"],
    "additionalProperties": False,
}


def fits(schema: dict[str, Any], value: Any) -> bool:
    return bool(jsonschema_rs.validator_for(schema).is_valid(value))


def test_thoughts_may_be_left_out_and_what_is_said_may_not() -> None:
    asked = form(make_plan(), DECIDE, title="Decide")
    assert (asked["title"], asked["required"]) == ("Decide", ["action"])
    assert fits(asked, {"action": "I go."})
    assert fits(asked, {"action": "I go.", "reasoning": "", "goals": None})
    assert not fits(asked, {"reasoning": "I think."})
    assert not fits(asked, {"action": "x" * 21})
    assert not fits(asked, {"action": "I go.", "unknown": 1})


@pytest.mark.parametrize("given", [{"action": "I go."}, {"action": "I go.", "reasoning": None, "goals": None}])
def test_what_was_left_out_is_empty_in_the_result(given: dict[str, Any]) -> None:
    assert complete(DECIDE, given) == {"action": "I go.", "reasoning": "", "goals": []}


def test_what_was_said_stays() -> None:
    said = {"action": "I go.", "reasoning": "It is late.", "goals": ["bed"]}
    assert complete(DECIDE, said) == said


def test_fields_have_titles_and_choices_names() -> None:
    made = make_plan()
    properties = form(made, DECIDE)["properties"]
    assert properties["action"]["title"] == "What you do"
    assert "Everybody" in properties["action"]["description"]
    assert properties["own_field"]["title"] == "Own field"
    seat = made.seats[0]
    named = form(made, {"properties": {"to": {"enum": [seat, "elsewhere"]}}})["properties"]["to"]
    assert named["x-titles"] == [made.scenario.seat_title(seat), "elsewhere"]


def test_the_schema_itself_is_left_alone() -> None:
    before = repr(DECIDE)
    form(make_plan(), DECIDE)
    assert repr(DECIDE) == before
