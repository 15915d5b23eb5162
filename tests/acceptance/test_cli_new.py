"""A scenario that was just begun plays at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.acceptance.terminal import Cli


@pytest.mark.parametrize("policy", ["turns", "dialogue", "flow"])
def test_what_was_begun_plays_to_its_end(policy: str, cli: Cli, tmp_path: Path) -> None:
    folder = str(tmp_path / "mine")
    begun = cli("new", "mine", "--policy", policy, "--out", folder)
    assert begun.returncode == 0, begun.stderr
    assert "Play it: pyscrai run" in begun.stderr
    ran = cli("run", folder, "--json")
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert (answer["run"], answer["status"], answer["total_cost"]) == ("mine/run-001", "completed", "0.0000000000")
    assert answer["metrics"]["trust"] > 0
