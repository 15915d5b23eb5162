"""Scenario Lab: reports, the budget of what is remembered, black swans, thresholds in all shapes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.formats.test_scenariolab import FILES, one_metric, play


def with_scenario(**keys: Any) -> Any:
    return play({**FILES, "scenario.yaml": {**FILES["scenario.yaml"], **keys}})


@pytest.mark.parametrize(
    ("rules", "every", "at_end"),
    [
        ({"generate_turn_reports": True, "generate_summary_report": True}, 1, True),
        ({"generate_turn_reports": False, "generate_summary_report": True}, None, True),
        ({}, None, False),
    ],
)
def test_reports(rules: dict[str, Any], every: int | None, at_end: bool) -> None:
    loaded = play({**FILES, "validation-rules.yaml": {**rules, "checks": {"sense": {"description": "d"}}}})
    assert loaded.scenario is not None
    assert (loaded.scenario.reports.every, loaded.scenario.reports.at_end) == (every, at_end)
    assert not [finding for finding in loaded.losses if "generate" in finding.path]


def test_reports_are_lost_with_the_checks() -> None:
    rules = {"generate_summary_report": True, "checks": {"sense": {"description": "d"}}}
    scenario = {**FILES["scenario.yaml"], "features": {"quality_assurance": False}}
    loaded = play({**FILES, "scenario.yaml": scenario, "validation-rules.yaml": rules})
    assert loaded.scenario is not None
    assert not loaded.scenario.reports.at_end
    assert "/generate_summary_report" in {finding.path for finding in loaded.losses}


@pytest.mark.parametrize(
    ("features", "tokens", "lost"),
    [
        ({"context_management": {"enabled": True, "max_context_tokens": 8000}}, 8000, False),
        ({"context_management": {"max_context_tokens": 100}}, 500, False),
        ({"context_management": {"enabled": False, "max_context_tokens": 8000}}, 6000, True),
    ],
)
def test_the_budget_of_what_is_remembered(features: dict[str, Any], tokens: int, lost: bool) -> None:
    loaded = with_scenario(features=features)
    assert loaded.scenario is not None
    assert loaded.scenario.context.tokens == tokens
    assert any(finding.path.endswith("/max_context_tokens") for finding in loaded.losses) == lost


def test_black_swans_are_drawn_where_they_are_switched_on() -> None:
    swans = ["The dam breaks.", {"name": "war", "description": "A war begins.", "probability": 0.02}]
    on = with_scenario(enable_black_swans=True, black_swans=swans)
    assert on.scenario is not None, [str(finding) for finding in on.errors]
    drawn = [(one.name, one.type, one.text, one.probability) for one in on.scenario.happenings if one.type == "random"]
    assert drawn[-2:] == [
        ("black swan 1", "random", "The dam breaks.", 0.1),
        ("war", "random", "A war begins.", 0.02),
    ]
    assert len(on.scenario.happenings) == 4
    assert not [finding for finding in on.losses if "swan" in finding.path]
    off = with_scenario(black_swans=swans)
    assert off.scenario is not None
    assert len(off.scenario.happenings) == 2
    assert "/black_swans" in {finding.path for finding in off.losses}
    none = with_scenario(enable_black_swans=True)
    assert "/enable_black_swans" in {finding.path for finding in none.losses}


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ({"low": 0.3, "high": ">= 0.8"}, {"low": 0.3, "high": ">= 0.8"}),
        ({"low": {"value": 0.3, "operator": "<"}}, {"low": "< 0.3"}),
        ([0.3, {"name": "high", "value": 0.8}], {"level 1": 0.3, "high": 0.8}),
        ([{"below": 0.2}], {"level 1": "< 0.2"}),
    ],
)
def test_thresholds(thresholds: Any, expected: dict[str, Any]) -> None:
    loaded = one_metric(thresholds=thresholds)
    assert loaded.scenario is not None
    assert loaded.scenario.metrics["trust"].thresholds == expected


def test_keywords_by_category_are_said_to_be_read_as_their_names() -> None:
    loaded = one_metric(type="categorical", categories=["war", "peace"], keywords={"war": ["guns"], "peace": ["doves"]})
    assert loaded.scenario is not None
    assert loaded.scenario.metrics["trust"].keywords == ["war", "peace"]
    assert any("not the words below them" in finding.message for finding in loaded.findings)
