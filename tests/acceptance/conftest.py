"""The command line for acceptance tests: a user with a database of their own and no settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.terminal import (
    ANSWERS,
    ROOT,
    SCENARIO,
    SECONDS,
    Cli,
    Doors,
    House,
    Start,
    command,
    read_until,
    run_to_its_end,
)
from tests.conftest import fresh_database, hold_invariants


def user_of(dsn: str, data: Path) -> dict[str, str]:
    """The environment of a user with a database and a data folder of their own, and no settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSCRAI_", "OPENAI_"))}
    ours = {"PYSCRAI_DATABASE_URL": dsn, "PYSCRAI_DATA": str(data), "PYSCRAI_NO_PAID_MODELS": "1"}
    return kept | ours | {"COLUMNS": "80", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def env(dsn: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a user with a database of their own and no settings."""
    return user_of(dsn, tmp_path / "data")


@pytest.fixture(scope="module")
def house(server_dsn: str, template_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """What `pyscrai up` keeps running for all tests of a module, for those to whom it is all the same who started it.

    They share its database: each plays a scenario of a name of its own.
    """
    data = tmp_path_factory.mktemp("house")
    with fresh_database(server_dsn, template_dsn) as dsn:
        env = user_of(dsn, data)
        with (data / "up.log").open("w") as log:
            up = subprocess.Popen(
                command("up", "--port", "0", "--json"), env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            url = json.loads(read_until(up.stdout, "api_url"))["api_url"]
            yield House(dsn, env, url)
            hold_invariants(dsn)
        finally:
            up.send_signal(signal.SIGTERM)
            up.communicate(timeout=SECONDS)


@pytest.fixture
def cli(env: dict[str, str]) -> Cli:
    """Run `pyscrai` to its end."""

    def call(*args: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run_to_its_end(env | more, *args)

    return call


@pytest.fixture
def start(env: dict[str, str]) -> Iterator[Start]:
    """Start `pyscrai`; whatever still runs at the end of the test is killed."""
    begun: list[subprocess.Popen[str]] = []

    def call(*args: str, **more: str) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        begun.append(subprocess.Popen(command(*args), env=env | more, cwd=ROOT, **pipes))
        return begun[-1]

    yield call
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    """A small scenario and a scripted model that takes so many seconds for a decision."""

    def write(latency: float) -> tuple[str, str]:
        scenario, answers = tmp_path / "scenario.yaml", tmp_path / f"answers-{latency}.yaml"
        scenario.write_text(SCENARIO)
        answers.write_text(ANSWERS.replace("LATENCY", str(latency)))
        return str(scenario), f"scripted:{answers}"

    return write
