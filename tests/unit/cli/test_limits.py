"""What a person is told whose run was stopped by a limit that several runs share."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.unit.cli.recorded import run

from pyscrai.cli.trouble import resume_command, what_to_do
from pyscrai.contract.runs import Run, Trouble


def broke(scope: str | None, name: str | None = None) -> Run:
    trouble = Trouble(code="out_of_money", message="", needed=Decimal("1.25"), scope=scope, name=name)
    return run(status="paused", outcome=None, reason=trouble)


@pytest.mark.parametrize(
    ("scope", "name", "command"),
    [("day", None, "pyscrai limits set day 2.50"), ("group", "pilot", "pyscrai limits set group pilot 2.50")],
)
def test_the_limit_that_stopped_it_is_the_one_to_raise(scope: str, name: str | None, command: str) -> None:
    stopped = broke(scope, name)
    assert f"Raise the limit: {command}" in what_to_do(stopped)
    assert "--limit" not in resume_command(stopped)


@pytest.mark.parametrize("scope", [None, "run"])
def test_its_own_limit_is_raised_by_resuming(scope: str | None) -> None:
    assert resume_command(broke(scope)).endswith("--limit 2.50")
    assert not any("limits set" in line for line in what_to_do(broke(scope)))
