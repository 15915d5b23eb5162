"""Our scenarios in the words of a ScenarioConfiguration are read back as what they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyscrai.cli.configuration import as_configuration
from pyscrai.formats.load import load
from pyscrai.sdk.shipped import shipped_scenarios


@pytest.mark.parametrize("name", ["dialogue", "prior-authorization"])
def test_what_a_dialogue_has_comes_back(name: str, tmp_path: Path) -> None:
    ours = load(shipped_scenarios()[name]).scenario
    assert ours is not None
    file = tmp_path / "posted.json"
    file.write_text(json.dumps(as_configuration(ours, "posted.v1")))
    back = load(file)
    assert back.errors == []
    assert back.scenario is not None
    assert (back.scenario.name, back.scenario.title) == ("posted.v1", ours.title)
    assert list(back.scenario.seats) == list(ours.seats)
    for seat, one in ours.seats.items():
        other = back.scenario.seats[seat]
        assert (other.goals, other.situation, other.knowledge, other.opening) == (
            one.goals,
            one.situation,
            one.knowledge,
            one.opening,
        )
        assert [(t.name, t.ends, t.input_schema) for t in other.tools] == [
            (t.name, t.ends, t.input_schema) for t in one.tools
        ]
