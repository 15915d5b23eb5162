"""What is written down from the code is current: schemas, the list of commands, completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from pyscrai.cli.main import run_command
from pyscrai.cli.reference import reference
from pyscrai.cli.schema import DOCUMENTS, schema_text
from pyscrai.cli.talk import Talk
from pyscrai.contract.schemas import PUBLISHED
from pyscrai.formats.positions import read

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "templates/scenarios").glob("*/scenario.yaml"))


def current(file: Path, text: str) -> None:
    """With PYSCRAI_UPDATE_SNAPSHOTS=1 the file is written, to be read and committed."""
    if os.environ.get("PYSCRAI_UPDATE_SNAPSHOTS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert file.read_text() == text, f"{file} is not what the code says: PYSCRAI_UPDATE_SNAPSHOTS=1 writes it"


def content(file: Path) -> Any:
    return read(file.read_bytes(), str(file)).data


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_schemas_in_the_docs_are_current(document: str) -> None:
    current(ROOT / f"docs/schemas/{document}.json", schema_text(document))


def test_every_published_schema_can_be_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert set(DOCUMENTS) == set(PUBLISHED)
    assert run_command(["schema", "scenario"], Talk()) == 0
    printed = capsys.readouterr().out
    jsonschema_rs.validator_for(json.loads(printed))
    file = tmp_path / "deep" / "scenario.schema.json"
    assert run_command(["schema", "scenario", "--out", str(file)], Talk()) == 0
    assert file.read_text() == printed
    assert run_command(["schema", "cook"], Talk()) == 2


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_an_editor_finds_nothing_wrong_in_the_examples(file: Path) -> None:
    data = content(file)
    if data.get("format") != "pyscrai/scenario@1":
        pytest.skip("written in another dialect")
    faults = [f"{list(e.instance_path)}: {e.message}" for e in validator("scenario").iter_errors(data)]
    assert faults == []


@pytest.mark.parametrize("file", sorted((ROOT / "seed/event-types").glob("*.yaml")), ids=lambda file: file.stem)
def test_an_editor_finds_nothing_wrong_in_the_event_types(file: Path) -> None:
    validator("event-type").validate(content(file))


def test_an_editor_finds_a_typo() -> None:
    typo = {"name": "x", "seats": {"one": {"gaols": ["win"]}}}
    (fault,) = validator("scenario").iter_errors(typo)
    assert "gaols" in fault.message


def validator(document: str) -> Any:
    return jsonschema_rs.validator_for(json.loads(schema_text(document)))


def test_the_list_of_commands_is_current() -> None:
    current(ROOT / "docs/cli.md", reference())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_the_name_we_are_called_by(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name, variable in (("pyscrai", "_PYSCRAI_COMPLETE"), ("scenario-lab", "_SCENARIO_LAB_COMPLETE")):
        assert run_command(["completion", shell], Talk(), name) == 0
        printed = capsys.readouterr().out
        assert variable in printed
        assert name in printed


def test_commands_and_options_are_completed() -> None:
    def completed(words: str, number: int) -> set[str]:
        env = os.environ | {"_PYSCRAI_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
        script = "from pyscrai.cli.main import main; main()"
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        return {line.partition(",")[2] for line in done.stdout.splitlines()}

    assert completed("pyscrai ru", 1) == {"run", "runs"}
    assert {"--out", "--credit-limit"} <= completed("pyscrai run --", 2)
    assert {"scenario", "agent"} <= completed("pyscrai schema ", 2)


def test_colours_go_away_where_nobody_wants_them() -> None:
    script = "from pyscrai.cli.main import run_command, Talk; run_command(['validate', 'negotiation'], Talk())"
    wanted = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    seen = {}
    for name, env in (("with", wanted), ("without", wanted | {"NO_COLOR": "1"})):
        plain = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
        done = subprocess.run(
            [sys.executable, "-c", script], env=plain | env, capture_output=True, text=True, check=True
        )
        seen[name] = done.stdout
    assert "\x1b[32m" in seen["with"]
    assert "\x1b[3" not in seen["without"]
