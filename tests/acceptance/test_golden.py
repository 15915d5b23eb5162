"""The examples and the samples through separate processes: the same story with one engine of each kind and with four.

The examples' stories are kept beside them as golden logs. After a change that is meant to change them, write them anew
with PYSCRAI_WRITE_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.fleet import Fleet, fleet

from pyscrai.domain.canonical import canonical
from pyscrai.domain.entry import STORY
from pyscrai.formats.load import load

ROOT = Path(__file__).parent.parent.parent
NAMES = (
    *("negotiation", "dialogue", "vision", "first-read", "crisis-cabinet", "prior-authorization"),
    "winter-ferry",
)
EXAMPLES = [ROOT / "templates" / "scenarios" / name for name in NAMES]
SAMPLES = ROOT.parent / "shared" / "samples"
PLAYED = [
    SAMPLES / "scenariolab" / "example-minimal-template",
    SAMPLES / "scenariolab" / "test-regulation-negotiation",
    SAMPLES / "scenariolab" / "ai-summit-4actors",
    SAMPLES / "interop" / "infliximab-prior-auth.v2.json",
    SAMPLES / "interop" / "knee-mri.v3.json",
    SAMPLES / "pyscrai" / "P0-scenario-supernatural_vision.json",
    SAMPLES / "pyscrai" / "P2-scenario-generic_conversation.json",
]
SAID = ("body", "kind", "phase", "seat", "turn", "v", "visible_to")


def stories_of(machines: Fleet, folders: list[Path]) -> list[str]:
    """Play all of them at once; each story as the golden log has it: a line per entry, then the digest."""
    return [story(machines, run) for run in [begin(machines, folder) for folder in folders]]


def begin(machines: Fleet, folder: Path) -> dict[str, Any]:
    loaded = load(folder)
    assert loaded.scenario is not None, [str(finding) for finding in loaded.findings]
    return machines.play(loaded.scenario.content(), model="rehearsal")


def story(machines: Fleet, started: dict[str, Any]) -> str:
    run = machines.ended(started)
    assert run["status"] == "completed", run["reason"]
    entries = machines.get(f"/runs/{run['id']}/log")["items"]
    lines = [canonical({key: entry[key] for key in SAID}) for entry in entries if entry["kind"] in STORY]
    return "\n".join([*lines, json.dumps({"log_digest": run["log_digest"]})]) + "\n"


@pytest.mark.timeout(600)
def test_one_engine_or_four_and_the_golden_logs(dsn: str, tmp_path: Path) -> None:
    folders = EXAMPLES + [folder for folder in PLAYED if folder.exists()]
    stories: list[list[str]] = []
    for engines in (1, 4):
        with fleet(dsn, tmp_path / f"fleet-{engines}", engines=engines) as machines:
            stories.append(stories_of(machines, folders))
    for folder, alone, many in zip(folders, *stories, strict=True):
        assert alone == many, f"{folder.name} depends on the number of engines"
    for folder, told in zip(EXAMPLES, stories[0], strict=False):
        golden = folder / "golden.jsonl"
        if os.environ.get("PYSCRAI_WRITE_GOLDEN") == "1":
            golden.write_text(told)
        assert told == golden.read_text(), f"the story of {folder.name} differs from its golden log"


def test_the_examples_readme_names_a_seed_for_each_outcome(dsn: str, tmp_path: Path) -> None:
    """The commands in prior-authorization's README end as it says."""
    folder = ROOT / "templates" / "scenarios" / "prior-authorization"
    named = re.findall(r"--seed (\d+) +# (approved|denied)", (folder / "README.md").read_text())
    scenario = load(folder).scenario
    assert scenario is not None
    assert {word for _, word in named} == {"approved", "denied"}
    with fleet(dsn, tmp_path) as machines:
        for seed, word in named:
            run = machines.ended(machines.play(scenario.content(), model="rehearsal", seed=int(seed)))
            assert run["outcome"] == {"approved": "success", "denied": "failure"}[word]
