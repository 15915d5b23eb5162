"""Batch files of both dialects, with the line of every mistake."""

from __future__ import annotations

from pathlib import Path

from pyscrai.domain.sweeps import planned
from pyscrai.formats.batches import ReadSweep, read_sweep
from pyscrai.sdk.scenario import Scenario
from pyscrai.sdk.shipped import shipped_scenarios, templates_home

THEIRS = """\
experiment_name: "Model Comparison - Regulation"
description: two models at two seats
base_scenario: "scenarios/talks"
runs_per_variation: 5
max_parallel: 2
timeout_per_run: 1800
budget_limit: 10.00
cost_per_run_limit: 0.50
variations:
  - type: "actor_model"
    actor: "Regulator"
    values: ["openai/gpt-4o-mini", "anthropic/claude-3-haiku"]
output_dir: "experiments/one"
save_individual_runs: true
"""


def of(tmp_path: Path, text: str) -> ReadSweep:
    file = tmp_path / "my sweep.yaml"
    file.write_text(text)
    return read_sweep(file)


def test_the_configuration_of_scenario_lab_is_read(tmp_path: Path) -> None:
    told = of(tmp_path, THEIRS)
    assert told.sweep is not None
    sweep = told.sweep
    assert (sweep.name, sweep.title) == ("model-comparison-regulation", "Model Comparison - Regulation")
    assert (sweep.scenario, sweep.seeds, sweep.at_once) == ("scenarios/talks", 5, 2)
    assert (str(sweep.budget), str(sweep.choices.limit)) == ("10.0", "0.5")
    assert sweep.vary == {"seats.regulator.model": ["openai/gpt-4o-mini", "anthropic/claude-3-haiku"]}
    unused = {(found.line, found.path) for found in told.findings if found.unused}
    assert unused == {(6, "/timeout_per_run"), (13, "/output_dir"), (14, "/save_individual_runs")}
    assert all(found.hint for found in told.findings)


def test_a_variation_that_is_not_known_is_an_error_with_its_line(tmp_path: Path) -> None:
    told = of(tmp_path, THEIRS.replace('"actor_model"', '"temperature"'))
    assert told.sweep is None
    assert [(found.line, found.path) for found in told.findings if found.severity == "error"] == [(10, "/variations/0")]


def test_our_own_document_takes_steps_and_amounts_as_people_write_them(tmp_path: Path) -> None:
    told = of(
        tmp_path, "scenario: talks\nvary: {turns: {from: 1, to: 3, step: 1}}\nbudget: 0.25\nchoices: {limit: 0.1}\n"
    )
    assert told.sweep is not None
    assert (told.sweep.name, str(told.sweep.budget), str(told.sweep.choices.limit)) == ("my-sweep", "0.25", "0.1")
    assert [found.severity for found in told.findings] == ["note"]


def test_every_mistake_has_its_line(tmp_path: Path) -> None:
    told = of(tmp_path, "name: s\nscenario: talks\nvari: {turns: [1]}\nseeds: many\nchoices: {turns: 0}\n")
    assert told.sweep is None
    errors = {(found.line, found.path, found.hint) for found in told.findings if found.severity == "error"}
    assert errors == {(3, "/vari", 'did you mean "vary"?'), (4, "/seeds", None), (5, "/choices/turns", None)}
    assert of(tmp_path, "- a list\n").findings[0].message == "a batch is a mapping (key: value)"


def test_the_example_that_is_shipped_means_twelve_runs() -> None:
    home = templates_home()
    assert home is not None
    told = read_sweep(home / "batches" / "negotiation.yaml")
    assert told.findings == []
    assert told.sweep is not None
    scenario = Scenario.load(shipped_scenarios()[told.sweep.scenario]).document
    assert len(planned(told.sweep, scenario)) == 12
