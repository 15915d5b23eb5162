"""Documents that nobody has seen yet: whatever is dropped, renamed or of another type, there are findings only."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.formats.test_conversation import LOAN
from tests.unit.formats.test_pyscrai_templates import ACTOR, ANALYST, EVENT, NARRATOR, OLD_ACTOR, VOYAGE

from pyscrai.formats.folder import Folder
from pyscrai.formats.load import Loaded, dump, load_text

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
PHASED = {
    **VOYAGE,
    "event_flow": {
        "phases": [
            {"name": "first", "trigger": "scenario_start", "duration": 5, "prompt_template": "It begins."},
            {"name": "last", "trigger": "first_complete", "source": "cook", "prompt_template": "It ends."},
        ],
        "transitions": {"first": "last", "last": "scenario_complete"},
    },
}
OTHERS = {"a.json": ACTOR, "cook.json": OLD_ACTOR, "wind.json": NARRATOR, "log.json": ANALYST}
DOCUMENTS: dict[str, Any] = {
    "conversation": LOAN,
    "scenario": VOYAGE,
    "phases": PHASED,
    "agent": ACTOR,
    "old agent": OLD_ACTOR,
    "event types": [EVENT, {**EVENT, "name": "calm", "prompt": "x", "lane": "narrator"}],
}
ODD = [
    None,
    True,
    0,
    -1,
    3.5,
    1e300,
    "",
    " ",
    "x",
    "ü\u2028",
    "[]",
    [],
    {},
    [None],
    [[]],
    {"": None},
    {"a": {"b": []}},
    "9" * 400,
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document that has a key or an index."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def altered(document: Any, path: tuple[Any, ...], how: str, value: Any) -> Any:
    document = copy.deepcopy(document)
    here = document
    for key in path[:-1]:
        here = here[key]
    old = here[path[-1]]
    if how == "retype":
        here[path[-1]] = value
    elif how == "wrap":
        here[path[-1]] = [old]
    elif how == "drop":
        del here[path[-1]]
    elif isinstance(here, dict):
        del here[path[-1]]
        here[f"{str(path[-1])[1:]}x" if how == "rename" else str(path[-1]).upper()] = old
    return document


def reading(document: Any, others: dict[str, Any] = OTHERS, *, again: bool = False) -> Loaded:
    """Load a document; whatever is wrong with it, that is a finding. `again`: also what is dumped of it."""
    files = {name: json.dumps(content).encode() for name, content in others.items()}
    loaded = load_text(json.dumps(document, indent=1), "x", "doc.json", Folder("", "x", files))
    broken = bool(loaded.errors)
    assert (loaded.scenario is None and loaded.agent is None and loaded.event_types == ()) or not broken
    if loaded.scenario is not None and again:
        second = load_text(dump(loaded.scenario), "x", "again.yaml")
        assert second.scenario == loaded.scenario, [str(found) for found in second.errors]
    lines = len(json.dumps(document, indent=1).splitlines())
    assert all(found.line <= lines for found in loaded.findings if found.file == "doc.json")
    return loaded


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("how", ["drop", "rename", "shout", "wrap"])
def test_each_key_dropped_renamed_wrapped(name: str, how: str) -> None:
    document = DOCUMENTS[name]
    for path in places(document):
        reading(altered(document, path, how, None))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_several_changes_at_once(data: st.DataObject) -> None:
    document = DOCUMENTS[data.draw(st.sampled_from(list(DOCUMENTS)))]
    for _ in range(data.draw(st.integers(1, 4))):
        found = list(places(document))
        if not found:
            break
        path = data.draw(st.sampled_from(found))
        how = data.draw(st.sampled_from(["drop", "rename", "shout", "wrap", "retype", "retype"]))
        document = altered(document, path, how, data.draw(st.sampled_from(ODD)))
    reading(document, again=True)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_templates_beside_a_scenario_may_be_broken(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(OTHERS)))
    path = data.draw(st.sampled_from(list(places(OTHERS[name]))))
    how = data.draw(st.sampled_from(["drop", "rename", "wrap", "retype"]))
    reading(VOYAGE, {**OTHERS, name: altered(OTHERS[name], path, how, data.draw(st.sampled_from(ODD)))})


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_key_of_the_top_retyped(name: str, value: Any) -> None:
    document = DOCUMENTS[name]
    for path in list(places(document))[ODD.index(value) % 4 :: 4]:
        if len(path) <= 3:
            reading(altered(document, path, "retype", value))


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")
@pytest.mark.parametrize("file", ["interop/knee-mri.v3.json", "pyscrai/P2-scenario-generic_conversation.json"])
def test_samples_with_each_key_dropped_or_renamed(file: str) -> None:
    document = json.loads((SAMPLES / file).read_bytes())
    others = {p.name: json.loads(p.read_bytes()) for p in (SAMPLES / "pyscrai").glob("*agent*.json")}
    for path in list(places(document))[::7]:
        for how in ("drop", "rename"):
            reading(altered(document, path, how, None), others if "pyscrai" in file else {})
