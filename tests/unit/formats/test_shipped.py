"""What comes with PyScrAI is in order: every example and every agent to copy, without so much as a note."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyscrai.formats.load import load

TEMPLATES = Path(__file__).parents[3] / "templates"
SCENARIOS = sorted(path for path in (TEMPLATES / "scenarios").iterdir() if path.is_dir())
AGENTS = sorted((TEMPLATES / "agents").glob("*.yaml"))


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda path: path.name)
def test_examples_have_nothing_to_remark_a_readme_and_a_golden_log(folder: Path) -> None:
    loaded = load(folder)
    assert [str(finding) for finding in loaded.findings] == []
    assert loaded.scenario is not None
    assert loaded.scenario.name == folder.name
    assert (folder / "README.md").is_file()
    assert (folder / "golden.jsonl").is_file()


@pytest.mark.parametrize("file", AGENTS, ids=lambda path: path.stem)
def test_agents_have_nothing_to_remark_and_are_listed(file: Path) -> None:
    loaded = load(file)
    assert [str(finding) for finding in loaded.findings] == []
    assert loaded.agent is not None
    assert loaded.agent.name == file.stem
    assert f"]({file.name})" in (file.parent / "README.md").read_text("utf-8")


def test_the_first_read_is_short_and_every_part_of_it_is_explained() -> None:
    lines = (TEMPLATES / "scenarios" / "first-read" / "scenario.yaml").read_text("utf-8").splitlines()
    assert len(lines) < 40
    assert sum("#" in line for line in lines) >= 15


def test_there_are_enough_to_choose_from() -> None:
    assert len(SCENARIOS) >= 5
    assert len(AGENTS) >= 5
