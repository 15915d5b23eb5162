"""Mistakes that nobody thought of: every key of a document mistyped, every value of another type, one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.formats.corpus import rate, tried
from tests.unit.formats.test_conversation import LOAN
from tests.unit.formats.test_mistakes import FLOW, LAB, NATIVE, write_lab
from tests.unit.formats.test_mistakes_foreign import BESIDE, PHASED
from tests.unit.formats.test_pyscrai_templates import ACTOR, EVENT, VOYAGE

from pyscrai.formats.load import load
from pyscrai.formats.positions import read

FREE = (
    "/world/facts",
    "/config/setting",
    "/knowledgeBase",
    "/traits",
    "/tools_config",
    "/properties/",
    "/data_schema/",
    "/runtime_customization/",
    "/history",
)
"""Below these an author's keys and values are their own."""
NAMED = ("/seats", "/metrics", "/checks", "/flow", "/agent_roles", "/event_flow", "/transitions", "/runtime_overrides")
"""Whose keys are names that the author gives."""
WRONG = {str: {"wrong": 1}, int: "wrong", float: "wrong", bool: "wrong", list: 7, dict: 7}


def mistakes(document: Any, pointer: str = "") -> Iterator[tuple[str, str, Any]]:
    """(what, JSON Pointer, the document as it would stand there) for every mistyped key and every wrong value."""
    if isinstance(document, dict):
        for key, value in document.items():
            here = f"{pointer}/{key}"
            if any(free in here for free in FREE):
                continue
            if not pointer.endswith(NAMED) and len(key) > 3 and key != "format":
                yield "key", here, {(_mistyped(k) if k == key else k): v for k, v in document.items()}
            yield "value", here, {**document, key: WRONG[type(value)]} if value is not None else document
            for what, at, inner in mistakes(value, here):
                yield what, at, {**document, key: inner}
    elif isinstance(document, list):
        for i, value in enumerate(document):
            for what, at, inner in mistakes(value, f"{pointer}/{i}"):
                yield what, at, [*document[:i], inner, *document[i + 1 :]]


def _mistyped(key: str) -> str:
    """Two letters in the middle change places, or one is missing."""
    i = len(key) // 2
    swapped = key[: i - 1] + key[i] + key[i - 1] + key[i + 1 :]
    return swapped if swapped != key else key[:i] + key[i + 1 :]


def _line(before: str, after: str) -> int:
    """The first line that the mistake has changed."""
    for number, (old, new) in enumerate(zip(before.splitlines(), after.splitlines(), strict=False), start=1):
        if old != new:
            return number
    return 0


def plain(text: str) -> Any:
    """The values of a document as its readers see them."""
    return read(text, "x.yaml").data


def as_yaml(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def as_json(document: Any) -> str:
    return json.dumps(document, indent=1)


@pytest.mark.parametrize(
    ("dialect", "document", "file"),
    [
        ("native", plain(NATIVE), "rules.yaml"),
        ("native", {"format": "pyscrai/scenario@1", **plain(FLOW)}, "tide.yaml"),
        ("scenariolab", plain(LAB["scenario.yaml"]), "scenario.yaml"),
        ("scenariolab", plain(LAB["actors/parents.yaml"]), "actors/parents.yaml"),
        ("scenariolab", plain(LAB["metrics.yaml"]), "metrics.yaml"),
        ("scenariolab", plain(LAB["validation-rules.yaml"]), "validation-rules.yaml"),
        ("conversation", LOAN, "loan.json"),
        ("pyscrai", VOYAGE, "voyage.json"),
        ("pyscrai", PHASED, "phased.json"),
        ("pyscrai", ACTOR, "captain.json"),
        ("pyscrai", [EVENT], "events.json"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nine_of_ten_are_found_on_their_line(dialect: str, document: Any, file: str, tmp_path: Path) -> None:
    write = as_json if file.endswith(".json") else as_yaml
    if dialect == "scenariolab":
        write_lab(tmp_path, LAB)
    elif dialect == "pyscrai":
        for name, content in BESIDE.items():
            (tmp_path / name).write_text(json.dumps(content))
    path, before = tmp_path / file, write(document)
    missed = []
    total = 0
    for what, pointer, mistaken in mistakes(document):
        path.write_text(write(mistaken))
        loaded = load(tmp_path if dialect == "scenariolab" else path)
        total += 1
        if not tried(dialect, f"{what} {pointer}", loaded, str(path), _line(before, write(mistaken))).right_line:
            missed.append(f"{what} {pointer}: {[str(f) for f in loaded.findings if f.severity != 'note'][:3]}")
    assert len(missed) <= max(2, total / 10), "\n".join(missed)


def test_of_all_mistakes_nine_of_ten() -> None:
    right, total = rate()
    assert total == 0 or right / total >= 0.9
