"""Changing the course of a run on the command line: what options say, pages of trees, differences, comparisons."""

from __future__ import annotations

from typing import Any

import click
import pytest
from tests.unit.cli.conftest import Sheet
from tests.unit.cli.recorded import NEGOTIATION, Recorder
from tests.unit.cli.recorded import run as recorded_run

from pyscrai.cli import compared, differing
from pyscrai.cli.changing import Assigned, Edited
from pyscrai.cli.courses import branch_from
from pyscrai.cli.glyphs import ASCII
from pyscrai.cli.going_on import going_on_from
from pyscrai.cli.pages import next_steps
from pyscrai.cli.paper import Paper
from pyscrai.cli.play import Play
from pyscrai.cli.playbill import playbill
from pyscrai.cli.trees import draw
from pyscrai.contract.branches import Family
from pyscrai.contract.comparisons import Comparison, Difference
from pyscrai.domain.choices import Choices

NOTHING: dict[str, Any] = dict.fromkeys(("turns", "limit", "model", "seed", "group", "title", "world")) | dict.fromkeys(
    ("seats", "seat_models", "edits", "facts", "told", "prices"), ()
)


def run(number: int, **more: Any) -> dict[str, Any]:
    told = {"id": f"id-{number}", "label": f"run-00{number}", "scenario": "talks", "version": 1, "title": "Talks"}
    told |= {"status": "completed", "outcome": "agreement", "turns": 2, "seed": 0, "spent": "0.25", "model_calls": 4}
    return {**told, "log_digest": f"d{number}", **more}


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=3", 3), ("a=true", True), ("a=null", None), ('a=["x"]', ["x"]), ("a=3 hours", "3 hours"), ("a=x=y", "x=y")],
)
def test_a_value_is_json_or_a_text(text: str, value: Any) -> None:
    assert Assigned().convert(text, None, None) == ("a", value)
    assert Edited().convert(f"mayor.{text}", None, None) == ("mayor", "a", value)


@pytest.mark.parametrize("text", ["a", "=3", "a=3"])
def test_what_is_no_edit(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"write (NAME|SEAT\.FIELD)=VALUE"):
        Edited().convert(text, None, None)


def test_a_branch_from_options() -> None:
    seats = [("guild", "temperature", "0.5"), ("guild", "human", "false")]
    options = NOTHING | {"seat_models": [("mayor", "rehearsal")], "seats": seats}
    options |= {"edits": [("mayor", "goals", ["peace"]), ("mayor", "style", "dry")], "facts": [("gold", 3)]}
    made = branch_from(turn=2, **options | {"told": ["A storm."], "turns": 9})
    assert made.at.turn == 2
    told = made.changes.model_dump(exclude_defaults=True)
    assert told["edits"] == {"mayor": {"goals": ["peace"], "style": "dry"}}
    assert told["seats"] == {"mayor": {"model": "rehearsal"}, "guild": {"temperature": 0.5, "human": False}}
    assert (told["facts"], told["turns"], told["inputs"]) == ({"gold": 3}, 9, [{"text": "A storm."}])


@pytest.mark.parametrize(
    ("resume", "branch", "turn", "more", "why"),
    [
        (None, "run-001", None, {}, "go together"),
        (None, None, 2, {}, "go together"),
        ("run-001", "run-001", 2, {}, "one of them"),
        (None, None, None, {"told": ("x",)}, "--tell: with --branch-from"),
        (None, None, None, {"facts": (("a", 1),)}, "--fact: with --branch-from"),
        ("run-001", None, None, {"turns": 4}, "--turns: a run that has begun keeps it"),
        (None, "run-001", 2, {"cache": True}, "--cache"),
    ],
)
def test_options_that_do_not_go_together(
    resume: str | None, branch: str | None, turn: int | None, more: dict[str, Any], why: str
) -> None:
    with pytest.raises(click.UsageError, match=why):
        going_on_from(resume, branch, turn, NOTHING | {"cache": False} | more, {})


def test_a_run_that_only_begins_has_options_left() -> None:
    options = NOTHING | {"cache": False}
    assert going_on_from(None, None, None, options, {}) is None
    assert set(NOTHING) - set(options) == {"facts", "world", "told"}


def family() -> Family:
    def one(number: int, parent: int | None, turn: int | None, *changed: str) -> dict[str, Any]:
        told = {"id": str(number), "label": f"run-00{number}", "serial": number, "title": "Talks", "spent": "0.5"}
        told |= {"parent_id": None if parent is None else str(parent), "turn": turn, "changed": list(changed)}
        return told | {"status": "completed", "outcome": "turn_limit", "turns_played": 3, "log_digest": "d"}

    runs = [one(1, None, None), one(2, 1, 1, "told all: A storm."), one(4, 2, 2, "gold: 3"), one(3, 1, 0, "turns: 4")]
    return Family.model_validate({"run_id": "4", "scenario": "talks", "runs": runs, "left_out": 2})


def test_a_family_is_drawn() -> None:
    sheet = Sheet(80)
    draw(sheet.paper, family())
    assert sheet.text.splitlines() == [
        "talks",
        "run-001  turn limit  turn 3  $0.50",
        "├─ run-002  after turn 1  turn limit  turn 3  $0.50",
        "│  │  told all: A storm.",
        "│  └─ run-004  after turn 2  turn limit  turn 3  $0.50",
        "│        gold: 3",
        "└─ run-003  from the beginning  turn limit  turn 3  $0.50",
        "      turns: 4",
        "and 2 more runs",
    ]
    plain = Sheet(80)
    draw(Paper(plain.paper.console, glyphs=ASCII), family())
    assert "`- run-003" in plain.text
    plain.text.encode("ascii")


def test_a_difference_as_a_page() -> None:
    entry = {"seq": 9, "step": 2, "n": 0, "kind": "edit", "turn": 1, "body": {"facts": {"gold": 3}}}
    turn = {"turn": 2, "moves": {"mayor": ["I sell.", None]}, "world": ["Calm.", "Storm."], "facts": {"gold": [9, 3]}}
    turn |= {"metrics": {"trust": [0.5, None]}, "coalitions": [{}, {"Pact": ["guild", "mayor"]}]}
    told = {"runs": [run(1), run(2)], "same": False, "shared": 8, "first": [None, entry], "turns": [turn]}
    thought = entry | {"kind": "thought", "body": {"thought": "They bluff."}}
    sheet = Sheet(80)
    differing.show(sheet.paper, Difference.model_validate(told | {"first": [thought, None]}))
    assert "- 9, turn 1: thought They bluff.\n" in sheet.text
    sheet = Sheet(80)
    differing.show(sheet.paper, Difference.model_validate(told))
    text = " ".join(sheet.text.split())
    assert "They share the first 8 entries of their stories, then part: - the log ends + 9, turn 1: edit" in text
    assert "Mayor - I sell. + nothing" in text
    assert "World - Calm. + Storm." in text
    assert "Fact gold - 9 + 3" in text
    assert "Metric trust - 0.5 + nothing" in text
    assert "Coalitions - none + Pact: guild, mayor" in text


def test_a_comparison_as_a_page() -> None:
    move = {"turn": 2, "seat": "mayor", "texts": ["I sell.", "I keep it.", None], "lengths": [7, 10, None]}
    metric = {"name": "trust", "unit": "%", "values": [[1, 3], [1, 2], [1, None]], "difference": [0, -1, -2]}
    word = {
        "name": "mood",
        "seat": "guild",
        "values": [["calm"] * 2, ["wild"] * 2, [None] * 2],
        "difference": [None] * 3,
    }
    told: dict[str, Any] = {
        "runs": [
            run(1),
            run(2, branch_of={"id": "1", "label": "run-001", "scenario": "talks", "turn": 1, "seq": 8}),
            run(3),
        ],
        "turns": [1, 2],
        "shared_turns": 1,
        "metrics": [metric, word],
        "moves": [move | {"likeness": [1.0, 0.4, None]}],
        "first_move": {"mayor": 2},
        "facts": [{"turn": 2, "name": "gold", "values": [9, 3, None]}],
        "coalitions": [{"turn": 2, "standing": [{}, {"Pact": ["mayor"]}, None]}],
    }
    sheet = Sheet(100)
    compared.show(sheet.paper, Comparison.model_validate(told))
    text = " ".join(sheet.text.split())
    assert "run-002 agreement 2 $0.25 4 0 branch of run-001 after turn 1" in text
    assert "The same in all of them: the first 1 of 2 turns." in text
    assert "trust run-001 ▁█ 3 % run-002 ▁▅ 2 % -1 run-003 ▁ 1 % -2" in text
    assert "mood of Guild run-001 calm run-002 wild not calm run-003 none" in text
    assert "Mayor: differs from turn 2 on (run-002: 40% alike, 10 characters a move)" in text
    assert "run-001 I sell. run-002 I keep it. run-003 nothing" in text
    assert "gold 9 3 none" in text
    assert "run-001 none run-002 Pact: mayor run-003 none" in text


def test_what_was_injected_in_a_play() -> None:
    log = Recorder()
    log.add("input", {"text": "A storm."}, turn=1)
    log.add("input", {"text": "They bluff.", "to": "regulator"}, turn=1)
    log.add("edit", {"text": "The situation has changed. gold: 3", "facts": {"gold": 3}, "world": "Ruins."}, turn=1)
    fields = {"text": "Otherwise for Regulator from here on: goals.", "fields": {"goals": ["peace"]}}
    log.add("edit", fields, turn=1, seat="regulator")
    sheet = Sheet(100)
    play = Play(sheet.paper, playbill(NEGOTIATION, {}, "rehearsal"))
    for entry in log.entries:
        play.show(entry)
    text = " ".join(sheet.text.split())
    assert "Told A storm. Told (only to Regulator) They bluff." in text
    assert "Edited The situation has changed. gold: 3 Ruins." in text
    assert 'Edited Otherwise for Regulator from here on: goals. goals: ["peace"]' in text


def test_playing_again_repeats_the_edits() -> None:
    edits = {"mayor": {"goals": ["peace"], "style": "dry"}}
    played = recorded_run().model_copy(update={"choices": Choices.model_validate({"edits": edits, "turns": 2})})
    command = dict(next_steps(played, "talks"))["Play again"]
    assert command == """pyscrai run talks --turns 2 --set 'mayor.goals=["peace"]' --set 'mayor.style="dry"' --seed 8"""
