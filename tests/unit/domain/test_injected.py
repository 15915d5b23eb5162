"""What people inject: where it enters the story, who learns of it, what it changes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.domain.plans import TALKS, answer, digest, make_plan

from pyscrai.domain.entry import Entry
from pyscrai.domain.injected import Injected, again, problems, ready
from pyscrai.domain.plan import Plan
from pyscrai.domain.play import advance, begin
from pyscrai.domain.state import fold, initial, window
from pyscrai.domain.view import view
from pyscrai.domain.work import Result, Work

WORLD = {
    "text": "A draft is on the table.",
    "facts": {"window": 24, "place": "Bern", "seal": "wax"},
    "variables": {
        "window": {"type": "integer", "range": [1, 72]},
        "seal": {"type": "text", "fixed": True},
    },
}
METRICS: dict[str, Any] = {
    "mood": {"by": "manual", "range": [0, 10], "thresholds": {"good": ">= 7"}},
    "calm": {"by": "manual", "type": "boolean", "per_seat": True},
    "trust": {"by": "model"},
}


def plan_of(window: int = 4, **more: Any) -> Plan:
    return make_plan({**TALKS, "world": WORLD, "metrics": METRICS, "context": {"window": window}, **more})


def tell(text: str, seat: str | None = None) -> Injected:
    return Injected(kind="input", seat=seat, body={"text": text})


def edit(**body: Any) -> Injected:
    return Injected(kind="edit", body=body)


def measure(metric: str, value: Any, seat: str | None = None) -> Injected:
    return Injected(kind="metric", seat=seat, body={"metric": metric, "value": value})


def played(plan: Plan, inputs: dict[int, list[Injected]]) -> tuple[list[Entry], dict[int, list[Work]]]:
    """A whole run, with inputs by the step that they enter with; also the work after each step."""
    move = begin(plan)
    log, work, step = list(move.entries), {0: move.work}, 0
    while move.work:
        step += 1
        results = [Result(work=one, value=answer(one)) for one in move.work]
        move = advance(plan, move.state, results, seq=log[-1].seq, step=step, inputs=inputs.get(step, []))
        log += move.entries
        work[step] = move.work
    return log, work


def kinds(log: list[Entry], step: int) -> list[str]:
    return [entry.kind for entry in log if entry.step == step]


def test_it_enters_after_the_results_and_before_the_policy_decides() -> None:
    log, _ = played(plan_of(), {3: [tell("A storm."), edit(facts={"window": 12})]})
    assert kinds(log, 3)[-4:] == ["input", "edit", "turn_complete", "turn_started"]
    assert kinds(log, 3)[-5] == "phase_complete"


def test_an_input_is_for_all_and_a_whisper_for_one() -> None:
    plan = plan_of()
    log, _ = played(plan, {1: [tell("A storm."), tell("They bluff.", "union")]})
    public, whisper = (entry for entry in log if entry.kind == "input")
    assert (public.visible_to, public.body) == ("all", {"text": "A storm."})
    assert (whisper.visible_to, whisper.body) == (["union"], {"text": "They bluff.", "to": "union"})


@pytest.mark.parametrize("reach", [1, 4])
def test_what_is_told_between_two_turns_is_seen_in_the_next(reach: int) -> None:
    """Also where views reach back no further than the turn itself."""
    plan = plan_of(reach)
    log, work = played(plan, {3: [tell("A storm."), tell("They bluff.", "union"), edit(facts={"place": "Rome"})]})
    until = [entry for entry in log if entry.step <= 3]
    state = fold(initial(plan), until, window(plan))
    recent = [entry for entry in until if entry.seq >= state.marks[0]]
    told = {
        one.seat: [
            line["text"] for line in view(plan, state, recent, one)["history"] if line["kind"] in ("input", "edit")
        ]
        for one in work[3]
    }
    assert told == {
        "union": ["A storm.", "They bluff.", "The situation has changed. place: Rome"],
        "board": ["A storm.", "The situation has changed. place: Rome"],
    }
    narrator = view(plan, state, recent, Work(event_type="world_update", turn=2, phase="world_update"))
    assert "They bluff." not in str(narrator)


def test_an_edit_changes_the_world_from_there_on() -> None:
    plan = plan_of()
    edited = {2: [edit(world="The table is gone.", facts={"window": 48, "place": None})]}
    log, _ = played(plan, edited)
    at = next(entry for entry in log if entry.kind == "edit").seq
    state = fold(initial(plan), [entry for entry in log if entry.seq <= at], window(plan))
    assert state.world == "The table is gone."
    assert state.facts == {"window": 48, "seal": "wax", "turn": 1}


def test_a_measured_value_may_cross_a_threshold() -> None:
    plan = plan_of()
    log, _ = played(plan, {1: [measure("mood", 4), measure("mood", 8), measure("calm", True, "board")]})
    told = [
        (e.kind, e.seat, e.body["value"], e.visible_to) for e in log if e.kind in ("metric", "alert") and e.step == 1
    ]
    assert told == [
        ("metric", None, 4, "none"),
        ("metric", None, 8, "none"),
        ("alert", None, 8, "none"),
        ("metric", "board", True, "none"),
    ]


def test_a_recording_says_what_to_inject_again() -> None:
    plan = plan_of()
    inputs = {
        1: [tell("A storm."), tell("They bluff.", "union"), measure("mood", 8), measure("calm", True, "board")],
        3: [
            edit(world="Gone.", facts={"place": None}),
            Injected(kind="edit", seat="union", body={"fields": {"style": "x"}}),
        ],
    }
    log, _ = played(plan, inputs)
    found: dict[int, list[Injected]] = {}
    for entry in log:
        if (one := again(entry)) is not None:
            found.setdefault(entry.step, []).append(one)
    assert found == inputs
    second, _ = played(plan, found)
    assert digest(plan, second) == digest(plan, log) != digest(plan, played(plan, {})[0])


def test_fields_of_a_seat_are_for_nobody_at_the_table() -> None:
    plan = plan_of()
    log, _ = played(plan, {1: [Injected(kind="edit", seat="union", body={"fields": {"private": "secret"}})]})
    (line,) = (entry for entry in log if entry.kind == "edit")
    assert line.visible_to == "none"
    assert line.body["text"] == "Otherwise for The union from here on: private."


@pytest.mark.parametrize(
    ("wanted", "pointer", "why"),
    [
        (tell("  "), "/text", "has to say something"),
        (tell("x", "mars"), "/seat", "no seat mars; there are union, board"),
        (edit(), "", "world's text or facts"),
        (edit(facts={"window": 99}), "/facts/window", "from 1 to 72"),
        (edit(facts={"window": None}), "/facts/window", "always has a value"),
        (measure("trust", 1), "/metric", "measured by model"),
        (measure("joy", 1), "/metric", "no metric joy"),
        (measure("mood", 11), "/value", "11 is no value of mood: it is a number from 0 to 10"),
        (measure("mood", "high"), "/value", "high is no value of mood"),
        (measure("mood", 3, "board"), "/seat", "not measured of board"),
        (measure("calm", True), "/seat", "a value for each seat"),
    ],
)
def test_what_is_refused(wanted: Injected, pointer: str, why: str) -> None:
    ((place, message),) = problems(plan_of(), wanted)
    assert place == pointer
    assert why in message


@pytest.mark.parametrize(
    "wanted",
    [
        tell("A storm.", "board"),
        edit(facts={"seal": "gold", "place": 3}),
        edit(facts={"place": None, "new": [1]}),
        edit(world="Gone."),
        measure("mood", "7"),
    ],
)
def test_what_is_taken(wanted: Injected) -> None:
    assert list(problems(plan_of(), wanted)) == []


def test_a_value_is_kept_in_its_metrics_type() -> None:
    assert ready(plan_of(), measure("mood", "7.0")).body["value"] == 7
