"""What the catalog refuses, and what it says about it."""

from __future__ import annotations

from typing import Any

import pytest

from pyscrai.contract.problems import FieldError
from pyscrai.contract.templates import TemplateType
from pyscrai_api.catalog.validation import check
from pyscrai_api.errors import Invalid


def scenario(**changes: Any) -> dict[str, Any]:
    seats = {"a": {"role": "asks"}, "b": {"role": "answers"}}
    return {"name": "talk", "world": {"text": "A room."}, "seats": seats, **changes}


def event_type(**changes: Any) -> dict[str, Any]:
    return {"name": "ask", "lane": "actor", "prompt": "You are {{ you.title }}.", **changes}


def refused(kind: TemplateType, content: dict[str, Any]) -> dict[str, FieldError]:
    with pytest.raises(Invalid) as caught:
        check(kind, content)
    return {item.pointer: item for item in caught.value.errors}


def test_a_good_document_of_each_type() -> None:
    assert check("scenarios", scenario()) == []
    assert check("event-types", event_type(result_schema={"type": "object"})) == []
    assert check("agents", {"name": "pope_leo_xiii", "anything": {"goes": [1, 2]}}) == []


def test_all_mistakes_come_at_once_each_with_its_pointer() -> None:
    errors = refused("scenarios", scenario(name="Not A Name", turns=3, seats={"a": {"gols": []}, "b": {"model": 1}}))
    assert set(errors) == {"/name", "/turns", "/seats/a/gols", "/seats/b/model"}
    assert errors["/name"].hint == 'for example "not-a-name"'
    assert errors["/seats/a/gols"].hint == 'did you mean "goals"?'


def test_rules_that_cross_fields_are_checked_too() -> None:
    errors = refused("scenarios", scenario(schedule={"policy": "turn@1"}))
    assert errors["/schedule/policy"].hint == 'did you mean "turns@1"?'


def test_what_is_not_used_is_a_warning() -> None:
    warnings = check("scenarios", scenario(happenings=[{"name": "x", "text": "Rain.", "turns": [999]}]))
    assert [item.pointer for item in warnings] == ["/happenings/0"]


def test_a_document_without_a_name() -> None:
    assert "/name" in refused("agents", {"goals": []})
    assert list(refused("event-types", {"lane": "actor", "prompt": "x"})) == ["/name"]


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "objct"}, "/result_schema/type"),
        ({"pattern": "(("}, "/result_schema/pattern"),
        ({"$ref": "#/$defs/nowhere"}, "/result_schema"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:9/x.json"}}}, "/result_schema"),
    ],
)
def test_a_result_schema_must_be_one_and_stand_by_itself(schema: dict[str, Any], pointer: str) -> None:
    assert list(refused("event-types", event_type(result_schema=schema))) == [pointer]


def test_prompts_are_checked_when_they_are_posted() -> None:
    errors = refused("event-types", event_type(prompt="Hello\n{{ you.gaols }}", system="{% broken"))
    assert "line 2" in errors["/prompt"].message
    assert "/system" in errors


def test_a_prompt_may_use_what_its_payload_declares() -> None:
    payload = {"type": "object", "properties": {"question": {"type": "string"}}}
    assert check("event-types", event_type(prompt="{{ question }}", payload_schema=payload)) == []
