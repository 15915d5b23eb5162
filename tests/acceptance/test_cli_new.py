"""A scenario that was just begun plays at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.acceptance.terminal import House


@pytest.mark.parametrize("policy", ["turns", "dialogue", "flow"])
def test_what_was_begun_plays_to_its_end(policy: str, house: House, tmp_path: Path) -> None:
    name, folder = f"my-{policy}", str(tmp_path / "mine")
    begun = house.cli("new", name, "--policy", policy, "--out", folder)
    assert begun.returncode == 0, begun.stderr
    assert "Play it: pyscrai run" in begun.stderr
    ran = house.cli("run", folder, "--json")
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert (answer["run"], answer["status"], answer["total_cost"]) == (f"{name}/run-001", "completed", "0.0000000000")
    assert answer["metrics"]["trust"] > 0
