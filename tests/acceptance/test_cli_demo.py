"""`pyscrai demo hydration`, on a database of its own and on one that is given."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.acceptance.terminal import Cli

STEPS = (
    "API at http://127.0.0.1:",
    "Scenario template 'prior-authorization-",
    "Conversation 1 instantiated from it: Before the voice is gone (LLM: ",
    "Static goal from template    Have the voice recorded",
    "Runtime model from instance  ",
    "The template was edited since; the snapshot says what it said",
    "API stopped",
    "The demonstration ended well.",
)


def test_each_step_is_shown_and_everything_is_stopped(cli: Cli) -> None:
    with tempfile.TemporaryDirectory(prefix="pyscrai-test-") as folder:
        done = cli("demo", "hydration", PYSCRAI_DATABASE_URL="", TMPDIR=folder)
        assert list(Path(folder).iterdir()) == []
    assert done.returncode == 0, done.stderr
    places = [done.stdout.index(step) for step in STEPS]
    assert places == sorted(places)
    for model in ("gpt-4o-mini", "claude-3-haiku"):
        assert f"Runtime model from instance  {model}" in done.stdout
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert folder not in running


@pytest.mark.parametrize("time", ["first", "again"])
def test_in_a_database_that_is_given_nothing_costs_and_nothing_stays(time: str, cli: Cli) -> None:
    for _ in range(1 if time == "first" else 2):
        done = cli("demo", "hydration", "--json")
        assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (set(told["runtime"].values()), told["unchanged_by_edit"]) == ({"rehearsal"}, True)
    (latest, *_) = json.loads(cli("runs", "list", "--json").stdout)
    assert (latest["status"], latest["title"], latest["model_calls"]) == ("cancelled", told["title"], 0)
    assert told["scenario_id"] not in cli("scenarios", "list", "--json").stdout
