"""Files of any template type: what they are, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyscrai.sdk.documents import read_templates
from pyscrai.sdk.errors import ScenarioError, ScenarioNotFound, TemplateError

ROOT = Path(__file__).parents[3]
AGENTS = sorted((ROOT / "templates/agents").glob("*.yaml"))
SAMPLES = ROOT.parent / "shared/samples/pyscrai"


@pytest.mark.parametrize("file", AGENTS, ids=lambda file: file.stem)
def test_agents_are_told_from_scenarios(file: Path) -> None:
    (one,) = read_templates(file)
    assert (one.kind, one.name, one.content["format"]) == ("agents", file.stem, "pyscrai/agent@1")


@pytest.mark.parametrize("file", sorted((ROOT / "seed/event-types").glob("*.yaml")), ids=lambda file: file.stem)
def test_event_types_are_told_from_scenarios(file: Path) -> None:
    (one,) = read_templates(file)
    assert (one.kind, one.name, one.content["format"]) == ("event-types", file.stem, "pyscrai/event-type@1")
    assert one.content["prompt"]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample files are not here")
def test_templates_of_another_dialect_become_ours() -> None:
    assert [one.kind for one in read_templates(SAMPLES / "P0-agent-pope_leo_xiii.json")] == ["agents"]
    several = read_templates(SAMPLES / "event_types.json")
    assert len(several) > 1
    assert {one.kind for one in several} == {"event-types"}


def test_mistakes_come_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text("format: pyscrai/event-type@1\nname: one\nlane: actor\nprompt: x\nresult_schema: 3\n")
    with pytest.raises((ScenarioError, TemplateError), match=r"one\.yaml:5:"):
        read_templates(file)
    file.write_text("format: pyscrai/scenario@1\nname: one\nseats: {a: {role: x}}\n")
    assert read_templates(file)[0].kind == "scenarios"
    with pytest.raises(TemplateError, match="of type scenarios, not agents"):
        read_templates(file, "agents")
    with pytest.raises(ScenarioNotFound):
        read_templates(tmp_path / "none.yaml")
