"""People of a program: where they sit, and what is asked of them where there is no function to ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pyscrai.domain.choices import Choices, SeatChoice
from pyscrai.sdk.human import HumanActor, Question, ask_here, at_seats, seated

FORM = {
    "properties": {
        "action": {"type": "string", "title": "What you do"},
        "to": {"type": ["string", "null"]},
        "closing": {"type": "boolean"},
        "goals": {"type": ["array", "null"]},
        "weight": {"type": "number"},
    },
    "required": ["action", "to", "closing"],
}


def question(**more: Any) -> Question:
    told: dict[str, Any] = {"person": "Ines", "run": "r/run-001", "seat": "mill", "title": "The mill", "what": "Decide"}
    told |= {"turn": 1, "turns": 2, "view": {"world": {"text": "A river."}}, "form": FORM, "proposed": None}
    return Question(**{**told, "draft": None, "faults": (), "seconds_left": None, **more})


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Prepare what is typed; returns what is left of it."""

    def prepare(*lines: str) -> list[str]:
        left = list(lines)
        monkeypatch.setattr("builtins.input", lambda prompt: left.pop(0))
        return left

    return prepare


def test_a_form_is_asked_field_by_field(types: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    left = types("We wait.", "", "y", "peace; quiet", "2.5")
    found = ask_here(question(faults=("/action: too short",)))
    assert found == {"action": "We wait.", "to": None, "closing": True, "goals": ["peace", "quiet"], "weight": 2.5}
    assert left == []
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("Ines: Decide for The mill, turn 1 of 2", "A river.", "too short"))


def test_what_need_not_be_said_is_left_out(types: Callable[..., list[str]]) -> None:
    types("We wait.", "", "n", "", "")
    assert ask_here(question()) == {"action": "We wait.", "to": None, "closing": False}


def test_a_proposal_is_approved_by_enter_and_edited_by_anything_else(types: Callable[..., list[str]]) -> None:
    types("")
    assert ask_here(question(proposed={"action": "We go."})) is None
    types("e", "We stay.", "", "n", "", "")
    assert (ask_here(question(proposed={"action": "We go."})) or {})["action"] == "We stay."


def test_people_are_put_at_their_seats_beside_what_was_chosen_before() -> None:
    before = Choices(seats={"mill": SeatChoice(model="rehearsal"), "river": SeatChoice(temperature=1)})
    people = {"mill": HumanActor("Ines", deadline=60, on_deadline="skip"), "river": HumanActor(approve=True)}
    after = seated(before, people).seats
    assert (after["mill"].human, after["mill"].deadline, after["mill"].model) == (True, 60, "rehearsal")
    assert (after["river"].approve, after["river"].human, after["river"].temperature) == (True, None, 1)


def test_names_of_seats_may_have_underscores() -> None:
    actor = HumanActor("EU Commission")
    assert at_seats({"eu_commission": actor}, ["eu-commission"]) == {"eu-commission": actor}
    assert at_seats({"eu_commission": actor}, ["eu_commission"]) == {"eu_commission": actor}
    assert at_seats({"eu_commission": actor}, []) == {"eu_commission": actor}


async def test_answers_come_from_functions_of_both_kinds() -> None:
    async def later(asked: Question) -> dict[str, Any]:
        return {"action": asked.seat}

    assert await HumanActor("a", later).answer(question()) == {"action": "mill"}
    assert await HumanActor("b", lambda asked: {"action": asked.title}).answer(question()) == {"action": "The mill"}
