"""`pyscrai` as a process: how tests call it and read what it says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
SECONDS = 120
SCENARIO = """
format: pyscrai/scenario@1
name: two-doors
title: Two doors
world: {text: Two doors and one key.}
seats:
  left: {title: Left, role: wants the left door}
  right: {title: Right, role: wants the right door}
schedule: {policy: turns@1, turns: 3, phases: [decision, world_update]}
"""
ANSWERS = """
answers:
  - when: {event_type: decide}
    answer: {reasoning: "It is turn {turn}.", goals: [], action: "{seat} pushes, turn {turn}."}
    latency: LATENCY
  - when: {event_type: world_update}
    answer: {narrative: "Turn {turn} passes.", facts: {}, changes: []}
"""

Cli = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]
Doors = Callable[[float], tuple[str, str]]


@dataclass(frozen=True)
class House:
    """A started system that several tests use: its database, the environment of its user, the API's address."""

    dsn: str
    env: dict[str, str] = field(repr=False)
    url: str

    def cli(self, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `pyscrai` to its end."""
        return run_to_its_end(self.env | more, *args)


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "pyscrai.cli", *args]


def run_to_its_end(env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    """`pyscrai` with exactly this environment."""
    return subprocess.run(
        command(*args), env=env, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def read_until(stream: IO[str] | None, words: str) -> str:
    """What a process says up to the line with these words. The test's own timeout bounds the wait."""
    assert stream is not None
    said = ""
    for line in stream:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it never said {words!r}:\n{said}")
