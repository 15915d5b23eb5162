"""Facts that contradict, checks that ask again or halt, thresholds, reports, disclosures, and what is remembered."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.domain.plans import answer, make_plan, play

from pyscrai.domain import disclosure
from pyscrai.domain.alerts import crossed
from pyscrai.domain.facts import contradictions
from pyscrai.domain.play import advance, begin
from pyscrai.domain.scenario import Metric, Seat, Variable
from pyscrai.domain.tokens import estimate
from pyscrai.domain.view import view
from pyscrai.domain.work import Result, Work

SEATS: dict[str, Any] = {"ada": {"title": "Ada", "private": "the vault code is seven nine"}, "bo": {"title": "Bo"}}


def scenario(**more: Any) -> dict[str, Any]:
    return {"name": "s", "seats": SEATS, "world": {"text": "Calm.", "facts": {}}, **more}


@pytest.mark.parametrize(
    ("variable", "before", "value", "wrong"),
    [
        ({"type": "number", "range": [0, 1]}, 0.5, 0.7, ""),
        ({"type": "number", "range": [0, 1]}, 0.5, 2, "from 0 to 1"),
        ({"type": "integer"}, 1, 1.5, "whole number"),
        ({"type": "integer"}, 1, True, "a number"),
        ({"type": "boolean"}, True, "yes", "true or false"),
        ({"type": "category", "categories": ["a", "b"]}, "a", "c", "one of a, b"),
        ({"type": "text", "fixed": True}, "x", "y", "never changes"),
        ({"type": "text", "fixed": True}, "x", "x", ""),
        ({"type": "text"}, "x", None, "always has a value"),
        (None, 3, "three", "it was 3, a number"),
        (None, 3, 4.5, ""),
        (None, "x", None, ""),
        (None, None, {"any": 1}, ""),
    ],
)
def test_what_contradicts(variable: dict[str, Any] | None, before: Any, value: Any, wrong: str) -> None:
    declared = {} if variable is None else {"f": Variable.model_validate(variable)}
    found = list(contradictions(declared, {} if before is None else {"f": before}, {"f": value}))
    assert [name for name, _ in found] == ["f"] * bool(wrong)
    assert wrong in "".join(message for _, message in found)


def narrated(first: Any, second: Any) -> Any:
    def reply(work: Work) -> dict[str, Any]:
        if work.phase != "world_update":
            return answer(work)
        level = second if work.payload.get("again") else first
        return {"narrative": f"Level {level}.", "facts": {"level": level, "other": 1}, "changes": ["it moved"]}

    return reply


def test_a_contradiction_is_asked_again_once() -> None:
    world = {"text": "Calm.", "facts": {"level": 1}, "variables": {"level": {"type": "integer", "range": [0, 9]}}}
    plan = make_plan(scenario(world=world), turns=1)
    log, last = play(plan, narrated(99, 5))
    checks = [entry.body for entry in log if entry.kind == "check"]
    assert [(one["check"], one.get("action")) for one in checks] == [("facts", "reask")]
    assert [e.body["facts"] for e in log if e.kind == "world_update"] == [{"level": 5, "other": 1}]
    assert last.state.facts["level"] == 5
    log, last = play(plan, narrated(99, 98))
    assert [e.body.get("action") for e in log if e.kind == "check"] == ["reask", None]
    assert [e.body["facts"] for e in log if e.kind == "world_update"] == [{"other": 1}]
    assert last.state.facts["level"] == 1
    assert last.state.end is not None


def test_a_second_answer_that_is_discarded_is_not_asked_a_third_time() -> None:
    world = {"facts": {"level": 1}, "variables": {"level": {"type": "integer", "range": [0, 9]}}}
    reply = narrated(99, 5)
    _, last = play(make_plan(scenario(world=world), turns=1), lambda w: None if w.payload.get("again") else reply(w))
    assert last.state.facts == {"level": 1}
    assert last.state.end is not None


@pytest.mark.parametrize(
    ("on_issue", "asked", "halts"), [("log", 1, 0), ("warn", 1, 0), ("reask", 2, 0), ("halt", 1, 2)]
)
def test_what_a_check_does(on_issue: str, asked: int, halts: int) -> None:
    plan = make_plan(scenario(checks={"sense": {"prompt": "?", "on_issue": on_issue}}, schedule={"turns": 2}))
    asked_again: list[Work] = []

    def reply(work: Work) -> dict[str, Any]:
        if work.payload.get("again"):
            asked_again.append(work)
        if work.phase == "validation":
            return {"consistent": False, "issues": ["it cannot be"], "severity": "high"}
        return answer(work)

    log, _ = play(plan, reply)
    assert len([e for e in log if e.kind == "world_update"]) == 2 * asked
    assert [work.payload["problems"] for work in asked_again] == [["it cannot be"]] * (2 * (asked - 1))
    first = {"log": None}.get(on_issue, on_issue)
    assert next(e.body.get("action") for e in log if e.kind == "check") == first
    move, found = begin(plan), 0
    while move.work:
        move = advance(
            plan, move.state, [Result(work=w, value=reply(w)) for w in move.work], seq=move.state.seq, step=1
        )
        found += len(move.halt)
    assert found == halts


@pytest.mark.parametrize(
    ("from_severity", "found", "action"),
    [
        ("high", "medium", None),
        ("high", "high", "warn"),
        ("high", "critical", "warn"),
        ("low", "low", "warn"),
        ("critical", "none", "warn"),
    ],
)
def test_a_check_acts_from_its_severity_on(from_severity: str, found: str, action: str | None) -> None:
    check = {"prompt": "?", "on_issue": "warn", "severity": from_severity}
    plan = make_plan(scenario(checks={"sense": check}, schedule={"turns": 1}))

    def reply(work: Work) -> dict[str, Any]:
        issues = {"consistent": False, "issues": ["it cannot be"], "severity": found}
        return issues if work.phase == "validation" else answer(work)

    log, _ = play(plan, reply)
    assert [entry.body.get("action") for entry in log if entry.kind == "check"] == [action]


@pytest.mark.parametrize(
    ("level", "before", "value", "direction"),
    [
        (5, 4, 5, ["up"]),
        (5, 5, 4, ["down"]),
        (5, 5, 6, []),
        (5, None, 9, []),
        (">= 8", None, 9, ["met"]),
        (">= 8", 8, 9, []),
        ("== signed", "draft", "signed", ["met"]),
        ("== true", False, True, ["met"]),
        ({"odd": 1}, 1, 2, []),
    ],
)
def test_thresholds(level: Any, before: Any, value: Any, direction: list[str]) -> None:
    metric = Metric(thresholds={"mark": level})
    found = list(crossed("trust", metric, before, value, turn=3, seat=None))
    assert [line.body["direction"] for line in found] == direction
    assert all(line.visible_to == "none" for line in found)


def test_alerts_follow_their_metric() -> None:
    metrics = {"trust": {"by": "model", "thresholds": {"half": 0.5}}}
    log, _ = play(make_plan(scenario(metrics=metrics), turns=3))
    kinds = [entry.kind for entry in log if entry.kind in ("metric", "alert")]
    assert kinds == ["metric", "metric", "alert", "metric"]


def test_reports_every_so_often_and_at_the_end() -> None:
    def reply(work: Work) -> dict[str, Any]:
        told = {"summary": "s", "findings": [], "turning_points": [{"turn": 1, "what": "w"}]}
        return told | {"influence": [], "positions": []} if work.phase == "report" else answer(work)

    log, _ = play(make_plan(scenario(reports={"every": 2, "at_end": True}), turns=5), reply)
    assert [(e.turn, e.body["at_end"]) for e in log if e.kind == "report"] == [(2, False), (4, False), (5, True)]
    assert all(e.body["turning_points"] == [{"turn": 1, "what": "w"}] for e in log if e.kind == "report")


def test_what_only_a_seat_knew_is_named_when_it_tells() -> None:
    def reply(work: Work) -> dict[str, Any]:
        told = answer(work)
        return told | {"action": "Listen: The vault code is seven-nine!"} if work.seat == "ada" else told

    log, last = play(make_plan(scenario(), turns=3), reply)
    found = [entry for entry in log if entry.kind == "check"]
    assert [(e.turn, e.body["check"], e.body["severity"]) for e in found] == [(1, "disclosure", "medium")]
    assert found[0].body["heard"] == {"ada/private": "all"}
    assert found[0].visible_to == "none"
    assert last.state.disclosures == ["Ada told everybody in a decision what only it knew (private)"]


def test_what_counts_as_repeated() -> None:
    seat = Seat(private="we will settle for twelve hours a week", knowledge={"code": "X7-ALPHA-9931"}, goals=["win"])
    assert disclosure.repeated(seat, "I say: settle for twelve hours a day.") == ["private"]
    assert disclosure.repeated(seat, "My code is x7-alpha-9931.") == ["knowledge: code"]
    assert disclosure.repeated(seat, "We settle. We win. Twelve hours?") == []


def test_the_far_past_is_a_summary_and_the_budget_holds() -> None:
    plan = make_plan(scenario(context={"window": 2, "tokens": 500}), turns=60)
    log, last = play(plan)
    work = Work(event_type="decide", turn=60, phase="decision", seat="ada")
    told = view(plan, last.state, log[-60:], work)
    assert {line["turn"] for line in told["summary"]} <= set(range(1, 59))
    assert len(told["memory"]) <= 8
    remembered = [line["text"] for line in (*told["history"], *told["summary"])]
    assert sum(estimate(text) for text in remembered) <= 500
