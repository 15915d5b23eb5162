"""Letters, statements and coalitions of a turn, and what happens from outside: played with the domain alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from tests.unit.domain.plans import make_plan

from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import Plan
from pyscrai.domain.play import Advance, advance, begin
from pyscrai.domain.view import result_schema, view
from pyscrai.domain.work import Result, Work

SEATS = {seat: {"title": seat.title()} for seat in ("ada", "bo", "cy")}
Answer = Callable[[Work], dict[str, Any]]


def talks(**communication: Any) -> Plan:
    schedule = {"turns": 2, "phases": ["decision"]}
    return make_plan({"name": "talks", "seats": SEATS, "communication": communication, "schedule": schedule})


class Table:
    """Plays a plan by answering each work; every answer is held against the schema of its work."""

    def __init__(self, plan: Plan, answer: Answer) -> None:
        self.plan = plan
        self.answer = answer
        self.log: list[Entry] = []
        self.steps: list[list[Work]] = []
        self.views: list[tuple[Work, dict[str, Any]]] = []

    def play(self) -> Table:
        move = begin(self.plan)
        while self._take(move):
            results = [Result(work=work, value=self._asked(work, move)) for work in move.work]
            move = advance(self.plan, move.state, results, seq=len(self.log), step=len(self.steps))
        return self

    def _take(self, move: Advance) -> bool:
        self.log += move.entries
        if move.work:
            self.steps.append(move.work)
        return bool(move.work)

    def _asked(self, work: Work, move: Advance) -> dict[str, Any]:
        self.views.append((work, view(self.plan, move.state, self.log, work)))
        value = self.answer(work)
        jsonschema_rs.validator_for(result_schema(self.plan, work)).validate(value)
        return value

    def of(self, kind: str) -> list[Entry]:
        return [entry for entry in self.log if entry.kind == kind]


def quiet(work: Work) -> dict[str, Any]:
    """Says nothing wherever that is possible."""
    if work.phase == "communication":
        return {"thought": "", "letters": []} | ({"statement": None} if work.payload["statement"] else {})
    if work.phase == "coalition" and work.payload["round"] == 1:
        return {"thought": "", "proposal": None, "leave": []}
    if work.phase == "coalition":
        offers: Any = work.payload["offers"]
        return {"thought": "", "answers": [{"coalition": one, "accept": False, "reason": ""} for one in offers]}
    return {"reasoning": "-", "goals": [], "action": f"{work.seat} waits."}


def writes(turn: int, seat: str, *letters: tuple[str, str, bool], then: Answer = quiet) -> Answer:
    def answer(work: Work) -> dict[str, Any]:
        if (work.phase, work.turn, work.seat, work.payload.get("round")) != ("communication", turn, seat, 1):
            return then(work)
        told = [{"to": to, "text": text, "closing": closing} for to, text, closing in letters]
        return quiet(work) | {"letters": told}

    return answer


def replies(work: Work) -> dict[str, Any]:
    """Answers everything, and expects an answer."""
    if work.phase == "communication" and int(str(work.payload["round"])) > 1:
        to: Any = work.payload["to"]
        return quiet(work) | {"letters": [{"to": one, "text": f"Yes, {one}.", "closing": False} for one in to]}
    return quiet(work)


def test_a_letter_is_seen_by_its_parties_only_and_answered_in_the_next_round() -> None:
    table = Table(talks(bilateral=True, rounds=3), writes(1, "ada", ("bo", "Shall we?", False), then=replies)).play()
    letters = [(e.seat, e.body["to"], e.body["text"]) for e in table.of("message") if e.turn == 1]
    assert letters == [("ada", "bo", "Shall we?"), ("bo", "ada", "Yes, ada."), ("ada", "bo", "Yes, bo.")]
    assert all(sorted(e.visible_to) == ["ada", "bo"] for e in table.of("message"))
    asked = [[work.seat for work in step] for step in table.steps if step[0].turn == 1]
    assert asked == [["ada", "bo", "cy"], ["bo"], ["ada"], ["ada", "bo", "cy"]]
    shown = next(told for work, told in table.views if work.seat == "bo" and work.payload.get("round") == 2)
    assert [(one["from"], one["text"]) for one in shown["letters"]] == [("ada", "Shall we?")]
    kept_out = [told for work, told in table.views if work.seat == "cy"]
    assert not any("Shall we?" in line["text"] for told in kept_out for line in told["history"])


def test_a_closing_letter_and_crossing_letters() -> None:
    closing = Table(talks(bilateral=True, rounds=5), writes(1, "ada", ("bo", "No.", True), then=replies)).play()
    assert len([e for e in closing.of("message") if e.turn == 1]) == 1
    both = writes(1, "bo", ("ada", "B", False), then=writes(1, "ada", ("bo", "A", False), then=replies))
    crossing = Table(talks(bilateral=True, rounds=2), both).play()
    assert [(e.seat, e.body["text"]) for e in crossing.of("message") if e.turn == 1] == [
        ("ada", "A"),
        ("bo", "B"),
        ("ada", "Yes, bo."),
        ("bo", "Yes, ada."),
    ]


def test_a_statement_is_for_everybody_and_no_move() -> None:
    def answer(work: Work) -> dict[str, Any]:
        return quiet(work) | ({"statement": "Hear me."} if work.payload.get("statement") and work.seat == "cy" else {})

    table = Table(talks(statements=True), answer).play()
    assert [(e.turn, e.seat, e.visible_to) for e in table.of("message")] == [(1, "cy", "all"), (2, "cy", "all")]
    assert all("letters" not in told["talk"] or told["talk"]["to"] == [] for _, told in table.views if "talk" in told)


def proposes(work: Work) -> dict[str, Any]:
    """Ada proposes to both in turn 1; Bo accepts, Cy does not; in turn 2 Ada writes inside, and Bo leaves."""
    place = (work.phase, work.turn, work.seat, work.payload.get("round"))
    if place == ("coalition", 1, "ada", 1):
        return {"thought": "-", "leave": [], "proposal": {"name": "Pact", "purpose": "Win.", "with": ["bo", "cy"]}}
    if place[:2] == ("coalition", 1) and place[3] == 2:
        return {"thought": "-", "answers": [{"coalition": "t1-ada", "accept": work.seat == "bo", "reason": "So."}]}
    if place == ("communication", 2, "ada", 1):
        return quiet(work) | {"letters": [{"to": "t1-ada", "text": "Between us.", "closing": False}]}
    if place == ("coalition", 2, "bo", 1):
        return {"thought": "-", "leave": ["t1-ada"], "proposal": None}
    return quiet(work)


def test_a_coalition_is_formed_talks_and_dissolves() -> None:
    table = Table(talks(bilateral=True, coalitions=True), proposes).play()
    acts = [(e.turn, e.body["act"], e.seat) for e in table.of("proposal")]
    assert acts == [
        (1, "propose", "ada"),
        (1, "accept", "bo"),
        (1, "reject", "cy"),
        (1, "formed", None),
        (2, "leave", "bo"),
        (2, "dissolved", None),
    ]
    formed = table.of("proposal")[3]
    assert formed.body["members"] == ["ada", "bo"]
    inside = next(e for e in table.of("message"))
    assert (inside.body["channel"], inside.visible_to) == ("coalition", ["ada", "bo"])
    told = [told for work, told in table.views if work.seat == "bo" and work.turn == 2 and work.phase == "decision"]
    assert told[0]["coalitions"] == []
    answering = next(t for w, t in table.views if w.seat == "bo" and w.turn == 2 and w.payload.get("round") == 2)
    assert [(one["from"], one["coalition"]) for one in answering["letters"]] == [("ada", "Pact")]


def test_nobody_accepts() -> None:
    def answer(work: Work) -> dict[str, Any]:
        return quiet(work) if work.payload.get("round") == 2 else proposes(work) if work.turn == 1 else quiet(work)

    acts = [e.body["act"] for e in Table(talks(coalitions=True), answer).play().of("proposal")]
    assert acts == ["propose", "reject", "reject", "failed"]


@pytest.mark.parametrize(
    ("happening", "turns"),
    [
        ({"type": "scheduled", "turns": [2]}, [2]),
        ({"type": "scheduled", "turns": [1, 3]}, [1, 3]),
        ({"type": "trend", "first": 2, "every": 2}, [2, 4]),
        ({"type": "trend", "last": 2}, [1, 2]),
        ({"type": "random", "probability": 1}, [1]),
        ({"type": "random", "probability": 1, "once": False}, [1, 2, 3, 4]),
        ({"type": "random", "probability": 0}, []),
        ({"type": "conditional", "when": "mood >= 3"}, []),
    ],
)
def test_when_things_happen(happening: dict[str, Any], turns: list[int]) -> None:
    one = {"name": "rain", "text": "It rains.", "adds": {"water": 2}, **happening}
    plan = make_plan(
        {
            "name": "weather",
            "seats": SEATS,
            "world": {"facts": {"water": 1}},
            "metrics": {"mood": {"by": "manual"}},
            "happenings": [one],
            "schedule": {"turns": 4, "phases": ["decision"]},
        }
    )
    table = Table(plan, quiet).play()
    assert [e.turn for e in table.of("exogenous")] == turns
    assert [e.body["facts"] for e in table.of("exogenous")] == [{"water": 1 + 2 * (n + 1)} for n in range(len(turns))]
    assert all(e.visible_to == "all" for e in table.of("exogenous"))


def test_a_draw_depends_on_the_seed_alone() -> None:
    def rainy(seed: int) -> list[int]:
        one = {"name": "rain", "type": "random", "text": "It rains.", "probability": 0.5, "once": False}
        schedule = {"turns": 30, "phases": ["decision"]}
        plan = make_plan({"name": "weather", "seats": SEATS, "happenings": [one], "schedule": schedule}, seed=seed)
        return [e.turn for e in Table(plan, quiet).play().of("exogenous")]

    assert rainy(1) == rainy(1) != rainy(2)
    assert 5 < len(rainy(1)) < 25
