"""A play with a real model: unruly text through the whole product, and the same text again for the same seed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.terminal import Cli, Start

from pyscrai.local.errors import NotInstalled
from pyscrai.local.weights import SETTING, check_runtime, find_weights

SCENARIO = """
format: pyscrai/scenario@1
name: two-doors
title: Two doors
world: {text: Two doors and one key. It is getting dark.}
seats:
  left: {title: Ann, role: wants to go through the left door, goals: [Get the key], max_tokens: 100}
  right: {title: Bob, role: wants to go through the right door, goals: [Keep the key], max_tokens: 100}
narrator: {max_tokens: 120}
schedule: {policy: turns@1, turns: 1, phases: [decision, world_update]}
"""


@pytest.fixture
def weights() -> str:
    """The weights that this machine has. Where everything must be tested (PYSCRAI_TEST_LOCAL), they must be there."""
    try:
        check_runtime()
        return str(find_weights())
    except NotInstalled as error:
        if os.environ.get("PYSCRAI_TEST_LOCAL"):
            raise
        pytest.skip(str(error))


@pytest.mark.timeout(900)
def test_a_real_model_plays_to_the_end_and_the_same_again(start: Start, weights: str, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO)
    digests = set()
    for number in (1, 2):
        out = tmp_path / f"played-{number}"
        # A busy machine takes its time: only the test's own timeout bounds it.
        playing = start("run", str(scenario), "--model", "local", "--json", "--out", str(out), **{SETTING: weights})
        result, said = playing.communicate()
        assert playing.returncode == 0, said
        played = json.loads(result)
        assert played["status"] == "completed"
        digests.add(played["log_digest"])
        asked = calls(out)
        assert {call["model"] for call in asked} == {"local"}
        assert {call["event_type"] for call in asked} == {"decide", "world_update"}
        assert all(call["usage"]["output_tokens"] > 0 and float(call["cost"]) == 0 for call in asked)
    assert len(digests) == 1


def test_without_weights_the_run_says_what_to_install(cli: Cli, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO)
    done = cli("run", str(scenario), "--model", "local", **{SETTING: str(tmp_path / "none.gguf")})
    assert done.returncode == 3, done.stderr
    said = "".join((done.stdout + done.stderr).split())  # a long path is broken wherever the terminal ends
    assert "none.gguf" in said
    assert "doesnotexist" in said
    assert "resume" in said


def calls(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "llm_calls.jsonl").read_text("utf-8").splitlines()]
