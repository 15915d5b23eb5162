"""Finding out what a path holds; and writing what was read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pyscrai.domain.scenario import Scenario
from pyscrai.formats.load import dump, load, pointer_to_position
from pyscrai.formats.native import read as read_native
from pyscrai.formats.positions import read

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
NATIVE = "name: talk\nworld: Two people meet.\nseats: {ann: a baker, bob: a miller}\n"
LAB = "name: Talk\ninitial_world_state: x\nturns: 2\nactors: [ann]\n"


def test_a_native_file_in_short_form(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(NATIVE)
    loaded = load(tmp_path / "talk.yaml")
    assert loaded.scenario is not None
    assert (loaded.dialect, loaded.scenario.name) == ("native", "talk")
    assert loaded.scenario.world.text == "Two people meet."
    assert loaded.scenario.seats["bob"].role == "a miller"
    assert [f.severity for f in loaded.findings] == ["note"]


@pytest.mark.parametrize("file", ["scenario.yaml", "scenario.yml", "definition/scenario.yaml", "anything.yaml"])
def test_a_native_folder(file: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(NATIVE)
    loaded = load(tmp_path)
    assert loaded.dialect == "native"
    assert loaded.scenario is not None


def test_a_json_document(tmp_path: Path) -> None:
    (tmp_path / "talk.json").write_text(json.dumps({"name": "talk", "seats": ["ann", "bob"]}, indent="\t"))
    loaded = load(tmp_path / "talk.json")
    assert loaded.scenario is not None
    assert list(loaded.scenario.seats) == ["ann", "bob"]


def test_the_folder_names_a_scenario_that_has_no_name(tmp_path: Path) -> None:
    folder = tmp_path / "The Bakery" / "definition"
    folder.mkdir(parents=True)
    (folder / "scenario.yaml").write_text("seats: [ann]\n")
    loaded = load(folder.parent)
    assert loaded.scenario is not None
    assert loaded.scenario.name == "the-bakery"


@pytest.mark.parametrize("path", ["", "scenario.yaml", "definition"])
def test_a_scenario_lab_folder_by_any_of_its_names(path: str, tmp_path: Path) -> None:
    folder = tmp_path / "definition" if path == "definition" else tmp_path
    (folder / "actors").mkdir(parents=True)
    (folder / "scenario.yaml").write_text(LAB)
    (folder / "actors" / "ann.yaml").write_text("name: Ann\ngoals: [win]\n")
    loaded = load(tmp_path / path if path != "definition" else tmp_path)
    assert loaded.dialect == "scenariolab"
    assert loaded.scenario is not None
    assert pointer_to_position(loaded, "/seats/ann/goals").file.endswith("ann.yaml")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.yaml", "just text", "not a scenario"),
        ("a.yaml", "- a\n- b\n", "not a scenario"),
        ("a.yaml", "null", "not a scenario"),
        ("a.yaml", "", "empty"),
        ("a.yaml", LAB, "load its folder"),
        ("a.json", '{"agentId": "a", "systemPrompt": "b"}', "one agent of a ScenarioConfiguration"),
        ("a.yaml", "short_name: a\ngoals: [b]\n", "an actor of a Scenario Lab scenario"),
        ("a.yaml", "metrics: {trust: {type: float}}\n", "the metrics file of a Scenario Lab scenario"),
        ("a.yaml", "checks: {sense: {enabled: true}}\n", "the validation rules file of a Scenario Lab scenario"),
        ("a.md", "# A title: with a colon: twice\n\t- x", 'this is a ".md" file'),
        ("a.json", '{"assets": [], "corporate_state": {}}', "program request"),
    ],
)
def test_what_is_no_scenario_of_ours(name: str, content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    loaded = load(tmp_path / name)
    assert (loaded.dialect, loaded.scenario) == ("unknown", None)
    assert words in str(loaded.errors[0])


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "negotiation.yaml").write_text(NATIVE)
    assert 'did you mean "negotiation.yaml"?' in str(load(tmp_path / "negotation.yaml").errors[0])
    assert "nor is there a folder" in str(load(tmp_path / "a" / "b").errors[0])
    (tmp_path / "empty").mkdir()
    assert "no YAML or JSON file" in str(load(tmp_path / "empty").errors[0])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "world-state-000.md").write_text("A world.")
    assert "a run of Scenario Lab" in str(load(tmp_path / "run").errors[0])
    (tmp_path / "two").mkdir()
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / "two" / name).write_text(NATIVE)
    assert "a.yaml, b.yaml" in str(load(tmp_path / "two").errors[0])


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")
@pytest.mark.parametrize(("folder", "dialect"), [("interop", "conversation"), ("pyscrai", "pyscrai")])
def test_the_samples_of_other_dialects_load(folder: str, dialect: str) -> None:
    for file in sorted((SAMPLES / folder).glob("*.json")):
        loaded = load(file)
        assert loaded.dialect == dialect
        assert loaded.errors == []
        assert loaded.scenario or loaded.agent or loaded.event_types
        assert loaded.about != "not playable"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")
def test_a_folder_with_several_scenarios_says_which() -> None:
    message = str(load(SAMPLES / "pyscrai").errors[0])
    assert "P0-scenario-supernatural_vision.json, P2-scenario-generic_conversation.json" in message
    assert "P1-agent" not in message


def test_unknown_keys_are_kept_and_a_second_dump_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(NATIVE + "mood: calm\nextensions: {mine: 1}\n")
    scenario = load(tmp_path / "talk.yaml").scenario
    assert scenario is not None
    assert scenario.extensions == {"mine": 1, "unknown": {"/mood": "calm"}}
    (tmp_path / "again.yaml").write_text(dump(scenario))
    again = load(tmp_path / "again.yaml")
    assert again.scenario == scenario
    assert again.findings == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("seats: {a: x}\nextensions: 5\nmood: calm\n", "a mapping (key: value) is wanted"),
        ("seats: [{name: a}, {name: a}]\n", '"a" is here twice'),
        ("seats: [{role: a}]\n", "a mapping (key: value) is wanted"),
        ("seats: 5\n", "a mapping (key: value) is wanted"),
        ("seats: {}\n", "should have at least 1 item"),
        ("seats: {a: x, b: y}\nseat_order: [a]\n", "seat_order has to name every seat once"),
        ("format: pyscrai/scenario@1\n", '"seats" is missing'),
        ("seats: {a: x}\nschedule: {end_when: [5]}\n", "a mapping (key: value) is wanted"),
        ("seats: {a: x}\nschedule: {end_when: 5}\n", "a list is wanted"),
        ("seats: {a: {role: x, knowledge: [1]}}\n", "a mapping (key: value) is wanted"),
        ("seats: {a: {role: x, principal: {}}}\n", '"name" is missing'),
        ("seats: {a: {role: [x]}}\nlanguage: []\n", "text is wanted here, not a list"),
    ],
)
def test_wrong_shapes(content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(content)
    loaded = load(tmp_path / "talk.yaml")
    assert loaded.scenario is None
    assert any(words in f.message for f in loaded.errors), [str(f) for f in loaded.errors]


def test_short_forms(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(
        "seats: {ann: {principal: The bakers, goals: win}, bob: }\nnarrator: Be brief.\n"
        "metrics: {trust: How much trust?}\nchecks: {sense: Any sense?}\n"
        "schedule: {end_when: {when: trust > 5, outcome: friends}}\n"
    )
    scenario = load(tmp_path / "talk.yaml").scenario
    assert scenario is not None
    assert scenario.seats["ann"].principal is not None
    assert scenario.seats["ann"].principal.name == "The bakers"
    assert scenario.seats["ann"].goals == ["win"]
    assert scenario.narrator.instructions == "Be brief."
    assert scenario.metrics["trust"].description == "How much trust?"
    assert scenario.checks["sense"].prompt == "Any sense?"
    assert scenario.schedule.end_when[0].outcome == "friends"


def test_tools_and_flows_in_short(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(
        "seats: {ann: {role: a, tools: [ask]}, bob: {role: b}}\nschedule: {policy: flow@1}\n"
        "flow:\n  - {name: one, by: ann}\n  - {name: two, by: bob, on: one}\n"
    )
    scenario = load(tmp_path / "talk.yaml").scenario
    assert scenario is not None
    assert scenario.seats["ann"].tools[0].name == "ask"
    assert [(name, step.on) for name, step in scenario.flow.items()] == [("one", "start"), ("two", "one")]


def test_a_file_that_is_too_large_or_not_to_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"x" * 2_000_001)
    assert "larger than" in str(load(tmp_path / "a.yaml").errors[0])
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(501):
        (folder / f"{i}.yaml").write_text("")
    assert "cannot be read: more than 500 files" in str(load(folder).errors[0])


def test_what_the_api_says_gets_a_line(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text("name: talk\nseats:\n  - name: ann\n    role: a baker\n  - name: bob\n")
    loaded = load(tmp_path / "talk.yaml")
    assert loaded.locate("/seats/ann/role", "no").line == 4
    assert loaded.locate("/seats/bob/role", "no").line == 5
    assert loaded.locate("/nowhere", "no").line == 1


def test_a_dump_reads_like_something_a_person_wrote() -> None:
    scenario = Scenario.model_validate(
        {
            "name": "talk",
            "title": "no",
            "world": {"text": "First line.\n\nSecond line.\n", "facts": {"year": "2025", "on": True, "code": "0x1F"}},
            "seats": {"zoe": {"role": "a baker who " * 9 + "sings"}, "ann": {}},
        }
    )
    assert dump(scenario) == (
        "format: pyscrai/scenario@1\nname: talk\ntitle: 'no'\n"
        "world:\n  text: |\n    First line.\n\n    Second line.\n"
        "  facts:\n    year: '2025'\n    'on': true\n    code: '0x1F'\n"
        "seats:\n  zoe:\n    role: >-\n"
        f"      {('a baker who ' * 9).strip()}\n      sings\n"
        "  ann: {}\n"
    )


NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
TEXTS = st.one_of(
    st.text(LETTERS, max_size=40),
    st.text(alphabet="ab \n\t:#-'\"|>{}[]&*!%@`,?\\~0.", max_size=60),
    st.text(alphabet="ab c", min_size=90, max_size=260),
    st.sampled_from(["no", "1e5", "0o7", "~", "<<", "=", "2024-01-01", "12:30", "1_000", ".5", "", " ", "\n", "\r\n"]),
)
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), TEXTS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
LISTS = st.lists(TEXTS, max_size=3)


def _fixed(**keys: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


SEATS = _fixed(
    title=TEXTS,
    role=TEXTS,
    goals=LISTS,
    expertise=st.one_of(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2)),
    private=TEXTS,
    knowledge=st.dictionaries(TEXTS, JSON, max_size=3),
    principal=st.fixed_dictionaries({"name": TEXTS}),
    temperature=st.floats(0, 2),
)
METRICS = _fixed(
    description=TEXTS,
    type=st.sampled_from(["number", "integer", "text"]),
    range=st.tuples(st.floats(-1e9, 0), st.floats(1, 1e9)),
    pattern=TEXTS,
)
SCENARIOS = st.fixed_dictionaries(
    {"name": NAMES, "seats": st.dictionaries(NAMES, SEATS, min_size=1, max_size=3)},
    optional={
        "title": TEXTS,
        "tags": LISTS,
        "world": _fixed(text=TEXTS, facts=st.dictionaries(TEXTS, JSON, max_size=3), challenges=LISTS),
        "schedule": _fixed(turns=st.integers(1, 99), turn_length=TEXTS, phases=LISTS, end_when=LISTS),
        "metrics": st.dictionaries(NAMES, METRICS, max_size=2),
        "extensions": st.dictionaries(TEXTS, JSON, max_size=3),
    },
)


@settings(max_examples=200, deadline=None)
@example({"name": "s", "seats": {"a": {}}, "title": "\x85", "tags": ["\u2028", "\ufeff", "a\u2029b", "\x1b"]})
@given(SCENARIOS)
def test_every_scenario_comes_back_from_its_dump(content: dict[str, Any]) -> None:
    scenario = Scenario.model_validate(content)
    document = read(dump(scenario).encode(), "s.yaml")
    assert document.findings == []
    assert Scenario.model_validate(document.data) == scenario
    assert list(document.data["seats"]) == list(scenario.seats)
    again, findings, _ = read_native(document)
    assert again == scenario, [str(f) for f in findings]


def test_the_page_about_dialects_names_what_is_read() -> None:
    from pyscrai.formats.conversation.agents import KNOWN as AGENT
    from pyscrai.formats.conversation.tools import KNOWN as TOOL

    page = (Path(__file__).parents[3] / "docs" / "dialects.md").read_text("utf-8")
    own_words = {"name", "role", "model", "temperature", "tools", "description"}
    assert [key for key in (*AGENT, *TOOL) if f"`{key}`" not in page and key not in own_words] == []
