"""Beginning a scenario: every policy, by flags or by an interview, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from pyscrai.cli.drafting import Begun, Part, draft_text
from pyscrai.cli.main import run_command
from pyscrai.cli.new import POLICIES
from pyscrai.cli.schema import schema_text
from pyscrai.cli.talk import Talk
from pyscrai.formats.load import load
from pyscrai.formats.positions import read
from pyscrai.sdk.shipped import shipped_scenarios


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def new(*args: str) -> int:
    return run_command(["new", *args], Talk())


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seats", ["", "Anna, Ben", "a,b,c,d,e"])
def test_every_beginning_has_nothing_wrong_with_it(policy: str, seats: str) -> None:
    assert new("mine", "--policy", policy, "--yes", *(["--seats", seats] if seats else [])) == 0
    loaded = load(Path("mine"))
    assert [str(found) for found in loaded.findings if found.severity != "note"] == []
    assert loaded.scenario is not None
    assert loaded.scenario.schedule.policy == f"{policy}@1"
    assert len(loaded.scenario.seats) == (len(seats.split(",")) if seats else 2)
    data = read(Path("mine/scenario.yaml").read_bytes(), "scenario.yaml").data
    jsonschema_rs.validator_for(json.loads(schema_text("scenario"))).validate(data)


def test_what_people_write_is_kept_whatever_signs_are_in_it() -> None:
    odd = 'He said: "no" # really\n- and {left} \u2028'
    text = draft_text(
        Begun(name="odd", title=odd.splitlines()[0], situation=odd, seats=[Part(name="x", title="on: yes")])
    )
    Path("scenario.yaml").write_text(text)
    scenario = load(Path("scenario.yaml")).scenario
    assert scenario is not None
    assert (scenario.world.text, scenario.seats["x"].title) == (odd, "on: yes")


def test_an_interview_asks_for_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["Well water", "A well.", "Anna, Old Ben", "a farmer", "water", "a miller", "peace", 3])
    asked: list[str] = []

    def prompt(question: str, **_more: Any) -> Any:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("click.prompt", prompt)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert new("well", "--policy", "dialogue") == 0
    scenario = load(Path("well")).scenario
    assert scenario is not None
    assert (scenario.title, scenario.world.text, scenario.schedule.turns) == ("Well water", "A well.", 3)
    assert (scenario.seats["old-ben"].title, scenario.seats["old-ben"].role) == ("Old Ben", "a miller")
    assert len(asked) == 8


@pytest.mark.parametrize("example", list(shipped_scenarios()))
def test_an_example_is_copied_under_a_name_of_its_own(example: str) -> None:
    assert new("mine", "--from", example, "--title", "My own: \\1") == 0
    loaded = load(Path("mine"))
    assert loaded.errors == []
    assert loaded.scenario is not None
    assert (loaded.scenario.name, loaded.scenario.title) == ("mine", "My own: \\1")
    assert not Path("mine/golden.jsonl").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["My Name"], "my-name"),
        (["x", "--from", "negotiaton"], "did you mean 'negotiation'?"),
        (["x", "--from", "negotiation", "--seats", "a,b"], "without --policy and --seats"),
        (["x", "--seats", "a,A"], "two seats"),
        (["x", "--seats", ","], "nobody takes part"),
        (["x", "--policy", "dialogue", "--seats", "Anna"], "at least two seats"),
        (["taken"], "not empty"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(args: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").mkdir()
    Path("taken/thesis.txt").write_text("years")
    assert new(*args, "--yes") == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert [str(path) for path in Path().iterdir()] == ["taken"]
