"""Scenario Lab directories: where each key goes, and that none is lost."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pyscrai.domain.scenario import Scenario
from pyscrai.formats.folder import Folder
from pyscrai.formats.load import Loaded, dump, load
from pyscrai.formats.positions import read as read_document
from pyscrai.formats.scenariolab import read

SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "scenariolab"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")

FILES: dict[str, Any] = {
    "scenario.yaml": {
        "name": "Water rights",
        "description": "Two towns share a river.",
        "system_prompt": "You live by the river.",
        "initial_world_state": "The river is low.",
        "num_turns": 4,
        "turn_duration": "1 month",
        "world_state_model": "openai/gpt-4o-mini",
        "background_information": ["rivers.md", "It has not rained."],
        "success_criteria": ["an agreement", "no violence"],
        "tags": ["water"],
        "schema_version": 2,
        "enable_coalition_formation": True,
        "actors": ["upper", "Lower Town"],
        "scenario_length": {"type": "conditional", "turns": 9, "condition": "trust >= 0.9"},
        "features": {"communications": {"enabled": False}, "exogenous_events": True},
    },
    "actors/upper.yaml": {
        "name": "Upper Town",
        "short_name": "upper",
        "model": "ollama/llama3",
        "goals": "- keep the water\n  for ourselves\n- stay friends",
        "long_term_goals": ["a dam"],
        "expertise": {"hydrology": "expert", "law": 3},
        "decision_making_style": "slow",
        "communication_style": "dry",
        "personality_traits": ["proud", "thrifty"],
        "private_information": {"reserve": "two weeks"},
        "information_access": {"public": True, "private": ["the gauge readings"]},
        "preferred_coalitions": ["lower"],
        "response_format": "json",
        "control": "human",
    },
    "actors/lower-town.yaml": {
        "name": "Lower Town",
        "role": "mayor",
        "description": "You need water.",
        "system_prompt": "You are the mayor.",
        "goals": ["water"],
        "constraints": "no money",
        "expertise": [{"area": "farming", "level": "high"}, {"law": "low"}],
    },
    "metrics.yaml": {
        "metrics": [
            {
                "name": "trust",
                "type": "continuous",
                "range": {"min": 0, "max": 1},
                "extraction": {"type": "llm", "prompt": "How much trust?"},
                "thresholds": [{"above": 0.5}],
            },
            {"id": "mood", "name": "Mood", "type": "categorical", "categories": ["calm", "angry"]},
            {"name": "litres", "extraction": {"type": "regex", "patterns": [r"(\d+) litres", r"(\d+) l\b"]}},
            {
                "name": "dams",
                "data_type": "int",
                "extraction_type": "keyword",
                "keywords": ["dam"],
                "aggregation": "sum",
            },
            {"name": "anger", "type": "integer", "actor_specific": True, "description": "how angry"},
            {"name": "pride", "type": "integer", "actor": "Upper Town", "description": "how proud"},
            {"name": "off", "enabled": False, "type": "integer"},
        ]
    },
    "validation-rules.yaml": {
        "validation_model": "openai/gpt-4o",
        "halt_on_critical": True,
        "run_after_each_turn": True,
        "include_in_costs": False,
        "checks": {
            "sense": {"description": "sense", "prompt_template": "Is {actor_action} by {actor_name} {odd}?"},
            "truth": {"description": "truth", "severity": "medium"},
            "idle": {"enabled": False, "description": "x"},
        },
        "severity_thresholds": {"low": "log", "medium": "warn"},
    },
    "exogenous-events.yaml": {
        "random_events": [{"name": "storm", "probability": 0.1}],
        "scheduled_events": {"flood": {"turn": 3}},
    },
    "background/rivers.md": "Rivers flow downhill.",
    "README.md": "# read me",
    "notes.yaml": {"a": 1},
}


def folder(files: dict[str, Any]) -> Folder:
    content = {n: (c if isinstance(c, str) else yaml.safe_dump(c, sort_keys=False)).encode() for n, c in files.items()}
    return Folder("water", "water", content)


def play(files: dict[str, Any]) -> Loaded:
    lab = folder(files)
    document = read_document(lab.files["scenario.yaml"], lab.shown("scenario.yaml"))
    scenario, findings, positions = read(lab, document)
    return Loaded(scenario=scenario, findings=findings, dialect="scenariolab", positions=positions)


@pytest.fixture(scope="module")
def water() -> Loaded:
    return play(FILES)


@pytest.fixture(scope="module")
def scenario(water: Loaded) -> Scenario:
    assert water.scenario is not None, "\n".join(map(str, water.errors))
    return water.scenario


def test_the_frame(scenario: Scenario) -> None:
    assert (scenario.name, scenario.title, scenario.tags) == ("water", "Water rights", ["water"])
    assert scenario.world.text == "The river is low."
    assert (scenario.schedule.turns, scenario.schedule.turn_length) == (4, "1 month")
    assert [ending.when for ending in scenario.schedule.end_when] == ["trust >= 0.9"]
    assert scenario.schedule.phases == ["decision", "world_update", "validation", "metrics"]
    assert scenario.narrator.model == "openai/gpt-4o-mini"
    assert scenario.analyst.model == "openai/gpt-4o"
    assert "- an agreement" in scenario.analyst.instructions


def test_what_the_scenario_says_reaches_every_seat_and_the_narrator(scenario: Scenario) -> None:
    told = [scenario.narrator.instructions, *(seat.instructions for seat in scenario.seats.values())]
    for text in told:
        assert text.startswith("You live by the river.")
        assert "Rivers flow downhill." in text
        assert "It has not rained." in text
    assert "You are the mayor." in scenario.seats["lower-town"].instructions
    assert "mayor" not in scenario.seats["upper"].instructions


def test_seats_in_order_with_all_that_their_actors_have(scenario: Scenario) -> None:
    assert list(scenario.seats) == ["upper", "lower-town"]
    upper, lower = scenario.seats.values()
    assert (upper.title, upper.model, upper.human) == ("Upper Town", "ollama/llama3", True)
    assert upper.goals == ["keep the water for ourselves", "stay friends", "a dam"]
    assert upper.expertise == {"hydrology": "expert", "law": "3"}
    assert upper.style == "slow\n\nHow you communicate: dry\n\nYour traits: proud; thrifty"
    assert upper.private == "reserve: two weeks\n\nAlso open to you, and not to everybody:\n- the gauge readings"
    assert upper.knowledge == {"preferred coalitions": "lower"}
    assert (lower.role, lower.situation, lower.constraints) == ("mayor", "You need water.", ["no money"])
    assert lower.expertise == {"farming": "high", "law": "low"}


def test_metrics_of_all_dialects(scenario: Scenario) -> None:
    metrics = scenario.metrics
    assert list(metrics) == ["trust", "mood", "litres", "dams", "anger", "pride"]
    assert (metrics["trust"].by, metrics["trust"].range, metrics["trust"].prompt) == (
        "model",
        (0, 1),
        "How much trust?",
    )
    assert metrics["trust"].thresholds == {"level 1": "> 0.5"}
    assert (metrics["mood"].type, metrics["mood"].categories, metrics["mood"].description) == (
        "category",
        ["calm", "angry"],
        "Mood",
    )
    assert (metrics["litres"].by, metrics["litres"].pattern) == ("pattern", r"(?:(\d+) litres)|(?:(\d+) l\b)")
    assert (metrics["dams"].by, metrics["dams"].type, metrics["dams"].keywords) == ("keyword", "integer", ["dam"])
    assert metrics["anger"].per_seat
    assert metrics["pride"].seat == "upper"


def test_checks_and_what_happens_when_they_find_something(scenario: Scenario) -> None:
    sense, truth = scenario.checks.values()
    assert (sense.severity, sense.on_issue) == ("critical", "halt")
    assert (truth.severity, truth.on_issue) == ("medium", "warn")
    assert "(the actor's move of this turn, as given to you)" in sense.prompt
    assert "{odd}" in sense.prompt


def test_happenings_have_their_type_and_their_time(scenario: Scenario) -> None:
    storm, flood = scenario.happenings
    assert (storm.name, storm.type, storm.probability, storm.turns) == ("storm", "random", 0.1, [])
    assert (flood.name, flood.type, flood.turns) == ("flood", "scheduled", [3])


def test_the_loss_report_and_the_extensions_name_the_same_keys(water: Loaded, scenario: Scenario) -> None:
    kept = scenario.extensions["scenariolab"]
    assert isinstance(kept, dict)
    listed = {(f.file.removeprefix("water/"), f.path) for f in water.losses}
    assert listed == {(file, path) for file, paths in kept.items() for path in paths}  # type: ignore[union-attr]
    assert listed == {
        ("scenario.yaml", "/schema_version"),
        ("scenario.yaml", "/scenario_length/turns"),
        ("actors/upper.yaml", "/response_format"),
        ("metrics.yaml", "/metrics/3/aggregation"),
        ("metrics.yaml", "/metrics/6"),
        ("validation-rules.yaml", "/checks/idle"),
        ("validation-rules.yaml", "/include_in_costs"),
    }


def test_other_files_are_named(water: Loaded) -> None:
    shown = [str(f) for f in water.findings if "is not read" in f.message]
    assert shown == ["water/notes.yaml:1:1: warning: notes.yaml is not read"]
    assert not any("README" in str(f) for f in water.findings)


def test_a_pointer_of_the_native_scenario_leads_to_the_author_s_file(water: Loaded) -> None:
    for pointer, file in {
        "/seats/upper/goals/0": "actors/upper.yaml",
        "/seats/lower-town/role": "actors/lower-town.yaml",
        "/metrics/trust/range": "metrics.yaml",
        "/checks/sense/prompt": "validation-rules.yaml",
        "/schedule/turns": "scenario.yaml",
        "/happenings/1": "exogenous-events.yaml",
    }.items():
        found = water.locate(pointer, "wrong")
        assert found.file == f"water/{file}"
        assert found.line > 1


def test_switched_off_features_keep_what_they_switch_off() -> None:
    files = copy.deepcopy(FILES)
    files["scenario.yaml"]["features"] = {
        "metrics_extraction": {"enabled": False},
        "quality_assurance": False,
        "exogenous_events": {"enabled": False},
    }
    loaded = play(files)
    assert loaded.scenario is not None
    assert (loaded.scenario.metrics, loaded.scenario.checks, loaded.scenario.happenings) == ({}, {}, [])
    assert loaded.scenario.schedule.phases == ["decision", "world_update"]
    lost = {f.path for f in loaded.losses}
    assert {"/metrics", "/checks", "/random_events", "/scenario_length/condition"} <= lost


def one_metric(**keys: Any) -> Loaded:
    return play({**FILES, "metrics.yaml": {"metrics": {"trust": {"description": "d", **keys}}}})


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"min": 1, "max": 10}, {"range": (1, 10), "type": "number"}),
        ({"range": "0 to 5"}, {"range": (0, 5)}),
        ({"type": "string", "values": ["a", "b"]}, {"type": "category", "categories": ["a", "b"]}),
        ({"categories": ["a"]}, {"type": "category"}),
        ({"type": "categorical"}, {"type": "text"}),
        ({"pattern": "peace"}, {"type": "boolean", "by": "pattern"}),
        ({"pattern": r"(\d+)"}, {"type": "number", "by": "pattern"}),
        ({"keywords": "- a\n- b"}, {"by": "keyword", "keywords": ["a", "b"]}),
        ({"actor": "Lower Town", "actor_specific": False}, {"seat": None}),
        ({"min": 1}, {"range": None}),
    ],
)
def test_metrics_as_authors_write_them(keys: dict[str, Any], expected: dict[str, Any]) -> None:
    loaded = one_metric(**keys)
    assert loaded.scenario is not None, [str(f) for f in loaded.errors]
    metric = loaded.scenario.metrics["trust"]
    assert {key: getattr(metric, key) for key in expected} == expected
    lost = {f.path.rpartition("/")[2] for f in loaded.losses if f.path.startswith("/metrics")}
    assert lost <= {"min", "actor"}


def test_the_model_of_the_metrics_is_the_analyst_s_where_the_checks_name_none() -> None:
    metrics = {"extraction_model": "openai/gpt-4o-mini", "metrics": {}}
    files = {**FILES, "metrics.yaml": metrics, "validation-rules.yaml": {"checks": {}}}
    alone = play(files)
    assert alone.scenario is not None
    assert alone.scenario.analyst.model == "openai/gpt-4o-mini"
    both = play({**FILES, "metrics.yaml": metrics})
    assert "/extraction_model" in {f.path for f in both.losses}


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("metrics.yaml", {"metrics": 5}, "a mapping or a list of metrics"),
        ("metrics.yaml", {"metrics": [{"name": "a", "description": "d"}, {"id": "A"}]}, "twice"),
        ("metrics.yaml", ["a"], "metrics.yaml is a mapping"),
        ("validation-rules.yaml", {"checks": ["a"]}, "checks is a mapping"),
        ("validation-rules.yaml", {"severity_thresholds": {"hihg": "log"}}, 'did you mean "high"?'),
        ("exogenous-events.yaml", {"trends": 5}, "a list of events"),
        ("exogenous-events.yaml", {"events": ["x"]}, "an event is a mapping"),
        ("exogenous-events.yaml", {"events": [{"type": "scheduld"}]}, 'did you mean "scheduled"?'),
        ("scenario.yaml", {"initial_world_state": "x"}, "every file in actors/ is used"),
    ],
)
def test_wrong_shapes(file: str, content: Any, words: str) -> None:
    loaded = play({**FILES, file: content})
    assert any(words in str(f) for f in loaded.findings), [str(f) for f in loaded.findings]


@pytest.mark.parametrize(
    ("rules", "reaction", "words"),
    [
        ({"severity_thresholds": {"medium": "warn", "high": "halt"}}, ("high", "halt"), "are only logged"),
        ({"severity_thresholds": {"low": "log"}}, ("medium", "log"), ""),
        ({"run_after_each_turn": False}, ("medium", "log"), "after each turn, the last one included"),
        ({"run_at_scenario_end": False}, ("medium", "log"), "checked like every other"),
    ],
)
def test_reactions(rules: dict[str, Any], reaction: tuple[str, str], words: str) -> None:
    loaded = play({**FILES, "validation-rules.yaml": {**rules, "checks": {"sense": {"description": "d"}}}})
    assert loaded.scenario is not None
    check = loaded.scenario.checks["sense"]
    assert (check.severity, check.on_issue) == reaction
    assert any(words in f.message for f in loaded.findings)


def test_background_that_is_too_long_is_reported() -> None:
    loaded = play({**FILES, "background/long.md": "x" * 50_000})
    assert loaded.scenario is not None
    assert any("long.md is not used" in f.message for f in loaded.losses)
    assert all(len(seat.instructions) < 50_000 for seat in loaded.scenario.seats.values())


def test_one_length_and_where_there_are_two_the_other_is_reported() -> None:
    frame = {key: value for key, value in FILES["scenario.yaml"].items() if key != "num_turns"}
    alone = play({**FILES, "scenario.yaml": frame})
    assert alone.scenario is not None
    assert alone.scenario.schedule.turns == 9
    plain = play({**FILES, "scenario.yaml": {**frame, "scenario_length": 7}})
    assert plain.scenario is not None
    assert plain.scenario.schedule.turns == 7
    both = play({**FILES, "scenario.yaml": {**frame, "turns": 2, "num_turns": 3, "scenario_length": 7}})
    assert both.scenario is not None
    assert both.scenario.schedule.turns == 2
    assert {"/num_turns", "/scenario_length"} <= {f.path for f in both.losses}


def test_actors_written_in_place() -> None:
    files = {
        "scenario.yaml": {**FILES["scenario.yaml"], "actors": [{"name": "Ann", "goals": ["x"]}, {"file": "upper.yaml"}]}
    }
    loaded = play({**files, "actors/upper.yaml": FILES["actors/upper.yaml"]})
    assert loaded.scenario is not None
    assert list(loaded.scenario.seats) == ["ann", "upper"]


@needs_samples
@pytest.mark.parametrize("name", ["example-minimal-template", "test-regulation-negotiation", "ai-summit-4actors"])
def test_the_samples_load_without_errors_and_survive_a_dump(name: str, tmp_path: Path) -> None:
    loaded = load(SAMPLES / name)
    assert loaded.scenario is not None
    assert {f.severity for f in loaded.findings} <= {"note"}
    (tmp_path / "scenario.yaml").write_text(dump(loaded.scenario), encoding="utf-8")
    again = load(tmp_path)
    assert again.scenario == loaded.scenario


@needs_samples
@pytest.mark.parametrize("name", ["example-minimal-template", "test-regulation-negotiation", "ai-summit-4actors"])
def test_no_key_of_a_sample_is_lost(name: str) -> None:
    """Every text of the samples' files is in the scenario (in other words where the dialect differs) or reported."""
    loaded = load(SAMPLES / name)
    assert loaded.scenario is not None
    content = loaded.scenario.model_dump_json() + " ".join(str(f) for f in loaded.losses)
    for file in sorted((SAMPLES / name).rglob("*.yaml")):
        for pointer, value in _leaves(yaml.safe_load(file.read_text())):
            if isinstance(value, str) and len(value) > 30 and "{" not in value:
                start = value.strip().splitlines()[0].strip()
                assert start.replace('"', '\\"').replace("\\s", "\\\\s") in content or "\\" in start, (file, pointer)


def _leaves(value: Any, pointer: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, child in value.items() for leaf in _leaves(child, f"{pointer}/{key}")]
    if isinstance(value, list):
        return [leaf for i, child in enumerate(value) for leaf in _leaves(child, f"{pointer}/{i}")]
    return [(pointer, value)]


JUNK = st.sampled_from(
    [None, True, 0, -1.5, "", "x", [], ["x"], [1], [None], {}, {"a": 1}, {"a": {"b": []}}, [{"x": 1}]]
)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_value_in_any_place_raises(data: st.DataObject) -> None:
    files = copy.deepcopy(FILES)
    for _ in range(data.draw(st.integers(1, 3))):
        file = data.draw(st.sampled_from([name for name, content in files.items() if isinstance(content, dict)]))
        pointers = [p for p, _ in _places(files[file])]
        if pointers:
            _set(files[file], data.draw(st.sampled_from(pointers)), copy.deepcopy(data.draw(JUNK)))
    loaded = play(files)
    assert loaded.scenario is not None or loaded.errors
    for found in loaded.findings:
        assert found.line >= 1
        assert found.message


def _places(value: Any, pointer: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    found = [(pointer, value)] if pointer else []
    return found + [place for key, child in items for place in _places(child, (*pointer, key))]


def _set(value: Any, pointer: tuple[Any, ...], junk: Any) -> None:
    for key in pointer[:-1]:
        value = value[key]
    value[pointer[-1]] = junk
