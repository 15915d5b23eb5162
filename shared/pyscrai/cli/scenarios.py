"""What a user names when a scenario is to be played: a file, a shipped example, or an entry of the catalog."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from pyscrai.cli.charts import count
from pyscrai.cli.talk import Talk
from pyscrai.sdk.errors import ScenarioNotFound
from pyscrai.sdk.shipped import shipped_scenarios

if TYPE_CHECKING:
    from pyscrai.sdk.scenario import Scenario


def find_scenario(wanted: str) -> Scenario | str:
    """A file or folder of that name, else the shipped example, else the name itself, for the catalog.

    Raises ScenarioNotFound where it can only have been a path, ScenarioError where it cannot be played.
    """
    from pyscrai.sdk.scenario import Scenario

    path = Path(wanted).expanduser()
    if path.exists():
        return Scenario.load(path)
    shipped = shipped_scenarios()
    if wanted in shipped:
        return Scenario.load(shipped[wanted])
    if "/" in wanted or path.suffix in (".yaml", ".yml", ".json"):
        near = difflib.get_close_matches(path.stem, shipped, n=1)
        hint = f"; did you mean the example {near[0]!r}?" if near else ""
        raise ScenarioNotFound(f"there is no file or folder {wanted}{hint}")
    return wanted


def remarks(scenario: Scenario, source: str, talk: Talk) -> None:
    """The reader's warnings, each on a line; of mere notes only the number."""
    warnings = [found for found in scenario.findings if found.severity == "warning"]
    for found in warnings:
        talk.say(str(found), "yellow")
    notes = len(scenario.findings) - len(warnings)
    if notes:
        talk.say(f"{count(notes, 'note')} on this scenario: pyscrai validate {source}")
