"""A form asked field by field: every kind of field, what is offered again, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import pytest

from pyscrai.cli.seat.asking import Form
from pyscrai.cli.seat.command import answers
from pyscrai.cli.seat.options import Duration

TEXT = {"type": "string", "minLength": 1, "maxLength": 10}
LETTER = {
    "type": "object",
    "properties": {
        "to": {"enum": ["ann", "ben"], "x-titles": ["Ann", "Ben"]},
        "text": TEXT,
        "closing": {"type": "boolean"},
    },
    "required": ["to", "text", "closing"],
}
HELLO = {"to": "ben", "text": "Hello.", "closing": True}
OFFER = {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}


class Scripted:
    """A person whose answers are prepared."""

    def __init__(self, typed: Sequence[str]) -> None:
        self.typed = list(typed)
        self.told: list[str] = []
        self.asked: list[str] = []

    def tell(self, text: str = "", style: str = "") -> None:
        self.told.append(text)

    async def line(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self.typed.pop(0)


async def asked(
    schema: dict[str, Any], typed: Sequence[str], before: dict[str, Any] | None = None, required: bool = True
) -> tuple[Any, Scripted]:
    ui, kept = Scripted(typed), []

    async def keep(value: dict[str, Any]) -> None:
        kept.append(dict(value))

    whole = {"properties": {"field": schema}, "required": ["field"] if required else []}
    found = await Form(ui, keep).ask(whole, before or {})
    assert ui.typed == [], "every answer is asked for"
    assert kept == [found], "what is typed is kept after each field"
    return found.get("field"), ui


@pytest.mark.parametrize(
    ("schema", "typed", "expected"),
    [
        (TEXT, ["", "far too long a text", "fits"], "fits"),
        (TEXT, ["one\\", "two"], "one\ntwo"),
        ({"type": ["string", "null"]}, [""], None),
        ({"type": "integer"}, ["three", "3"], 3),
        ({"type": "number"}, ["2.5"], 2.5),
        ({"type": "boolean"}, ["perhaps", "y"], True),
        ({"type": "boolean"}, [""], False),
        ({"enum": ["ann", "ben"], "x-titles": ["Ann", "Ben"]}, ["9", "Ben"], "ben"),
        ({"enum": ["ann", "ben"]}, ["1"], "ann"),
        ({"type": "array", "items": {"type": "string"}}, ["one", "two", ""], ["one", "two"]),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, ["one"], ["one"]),
        ({"type": "array", "items": LETTER, "maxItems": 2}, ["y", "2", "Hello.", "y", "n"], [HELLO]),
        ({"type": "array", "items": OFFER, "minItems": 1, "maxItems": 1}, ["x"], [{"name": "x"}]),
        ({"anyOf": [{"type": "null"}, OFFER]}, ["n"], None),
        ({"anyOf": [{"type": "null"}, OFFER]}, ["y", "pact"], {"name": "pact"}),
        ({"const": []}, [], []),
        ({"type": "object"}, ["{", '{"a": 1}'], {"a": 1}),
    ],
)  # fmt: skip
async def test_each_kind_of_field(schema: dict[str, Any], typed: list[str], expected: Any) -> None:
    assert (await asked(schema, typed))[0] == expected


async def test_what_was_answered_is_offered_and_enter_keeps_it() -> None:
    found, ui = await asked(TEXT, [""], {"field": "before"})
    assert (found, ui.asked) == ("before", ["field [before]: "])
    letters = [{"to": "ann", "text": "Hi.", "closing": False}]
    again = ["", "", "", "", "n"]
    assert (await asked({"type": "array", "items": LETTER, "maxItems": 3}, again, {"field": letters}))[0] == letters


async def test_what_may_be_left_out_is() -> None:
    assert (await asked({"type": "string"}, [""], required=False))[0] is None


async def test_only_the_fields_that_were_wrong_are_asked_again() -> None:
    ui = Scripted(["better"])

    async def keep(value: dict[str, Any]) -> None:
        assert value["right"] == "kept"

    schema = {"properties": {"right": TEXT, "wrong": TEXT}, "required": ["right", "wrong"]}
    found = await Form(ui, keep).ask(schema, {"right": "kept", "wrong": ""}, frozenset({"wrong"}))
    assert found == {"right": "kept", "wrong": "better"}


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("1d", 86400)])
def test_times(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10 minutes", "0", "-1m"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ['{"a": 1}', '[{"a": 1}]', '{"a": 1}\n'])
def test_prepared_answers(text: str) -> None:
    assert answers(text) == [{"a": 1}]


def test_several_prepared_answers_and_approvals() -> None:
    assert answers('{"a": 1}\nnull\n') == [{"a": 1}, None]
    assert answers('[null, {"a": 1}]') == [None, {"a": 1}]


@pytest.mark.parametrize("text", ["", "{", "3", '["a"]', "{}\n{"])
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(click.UsageError):
        answers(text)
