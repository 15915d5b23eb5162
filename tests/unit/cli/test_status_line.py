"""The line at the bottom of a terminal: what a run is at, and what it waits for."""

from __future__ import annotations

import io

from rich.console import Console

from pyscrai.cli.paper import Paper
from pyscrai.cli.status import StatusLine


def test_a_run_that_waits_for_a_provider_says_so() -> None:
    paper = Paper(Console(file=io.StringIO(), width=100))
    line = StatusLine(paper)
    line.doing("Turn 1 of 3")
    line.waits("12 s more: openai asked for a break")
    assert "Turn 1 of 3" in (shown := line.__rich__().plain)
    assert "12 s more: openai asked for a break" in shown
    line.waits("")
    assert "openai" not in line.__rich__().plain
