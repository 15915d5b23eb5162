"""Rules of good authorship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyscrai.domain.scenario import Scenario
from pyscrai.formats.lint import findings, lint
from pyscrai.formats.load import load

ROOT = Path(__file__).parents[3]
SECRET = "The clinic will close in March if nothing changes."


def scenario(clinic: dict[str, Any] | None = None, insurer: dict[str, Any] | None = None, **keys: Any) -> Scenario:
    tools = [
        {"name": "approve_claim", "guidance": "Give a number.", "ends": "success"},
        {"name": "deny_claim", "guidance": "Give a reason.", "ends": "failure"},
    ]
    seats = {
        "clinic": {
            "goals": ["an answer"],
            "principal": {"name": "Hill Clinic"},
            "knowledge": {"chart": {"treatmentHistory": []}},
            **(clinic or {}),
        },
        "insurer": {
            "goals": ["fairness"],
            "principal": {"name": "Town Insurance"},
            "knowledge": {"policy": {}},
            "tools": tools,
            **(insurer or {}),
        },
    }
    document = {"name": "s", "world": {"text": "A town."}, "seats": seats, "schedule": {"policy": "dialogue@1"}}
    return Scenario.model_validate({**document, **keys})


def tool(**keys: Any) -> dict[str, Any]:
    return {"tools": [{"name": "look_up", "guidance": "Look.", "ends": None, **keys}]}


def test_a_good_scenario_has_nothing_to_mend() -> None:
    assert lint(scenario()) == []


@pytest.mark.parametrize(
    ("keys", "pointer", "words"),
    [
        ({"insurer": tool(guidance="Read treatmentHistory.")}, "/seats/insurer/tools/0/guidance", "only Clinic knows"),
        ({"insurer": tool(guidance="Read `knowledgeBase.chart`.")}, "/seats/insurer/tools/0/guidance", '"chart"'),
        ({"insurer": tool(guidance="Search Hill Clinic's records.")}, "/seats/insurer/tools/0/guidance", "belongs to"),
        ({"insurer": tool(name="claim_approval")}, "/seats/insurer/tools/0", "sounds like an ending"),
        ({"insurer": tool(name="deny_claim", ends="success")}, "/seats/insurer/tools/0/ends", "other way round"),
        ({"insurer": tool(name="approve", ends="neutral")}, "/seats/insurer/tools/0/ends", "says which way"),
        ({"insurer": tool(name="approve", ends="success")}, "/seats/insurer/tools/0/ends", "none can end it badly"),
        ({"clinic": {"principal": {"name": "Clinic"}}}, "/seats/clinic/principal", "named like its principal"),
        ({"clinic": {"instructions": "You are Hill Clinic."}}, "/seats/clinic/instructions", "You act for Hill Clinic"),
        ({"clinic": {"goals": []}}, "/seats/clinic", "wants nothing"),
        ({"insurer": {"opening": "Hello.", "tools": []}}, "/seats/insurer/opening", "never spoken"),
        ({"clinic": {"private": SECRET}, "world": {"text": f"A town. {SECRET}"}}, "/seats/clinic/private", "everybody"),
    ],
)
def test_what_would_be_better(keys: dict[str, Any], pointer: str, words: str) -> None:
    found = lint(scenario(**keys))
    assert any(one.pointer == pointer and words in f"{one.message} — {one.hint}" for one in found), found


@pytest.mark.parametrize(
    "keys",
    [
        {"insurer": tool(guidance="Chart a course; read the policy.")},
        {"clinic": {"instructions": "You are Hill Clinic's agent. You are at Hill Clinic."}},
        {"clinic": {"opening": "Hello."}},
        {"clinic": {"private": SECRET}},
    ],
)
def test_what_is_well(keys: dict[str, Any]) -> None:
    assert lint(scenario(**keys)) == []


@pytest.mark.parametrize("name", ["negotiation", "dialogue", "prior-authorization", "vision"])
def test_the_examples_are_an_example(name: str) -> None:
    loaded = load(ROOT / "templates" / "scenarios" / name)
    assert loaded.scenario is not None
    assert [one for one in lint(loaded.scenario) if one.severity == "warning"] == []


def test_findings_have_a_line(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("format: pyscrai/scenario@1\nname: s\nseats:\n  ann:\n    role: baker\n")
    assert [(found.line, found.severity) for found in findings(load(tmp_path / "s.yaml"))] == [(4, "note")]
    assert findings(load(tmp_path / "none.yaml")) == []
