"""The built-in event types arrive once, and by hand again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import fresh_database, with_database

from pyscrai_api.catalog import seed
from pyscrai_api.deps import Deps
from pyscrai_api.errors import StartupError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of seeds that may be changed."""
    shutil.copytree(seed.CHECKOUT / "event-types", tmp_path / "event-types")
    return tmp_path


def change(place: Path, **changes: Any) -> None:
    path = place / "event-types" / "decide.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text("utf-8")) | changes), "utf-8")


async def versions(shared: Deps) -> list[tuple[int, str]]:
    rows = await shared.pool.fetch(
        "SELECT v.version, v.title FROM template_versions v JOIN templates t ON t.id = v.template_id "
        "WHERE t.owner = 'builtin' AND t.name = 'decide' ORDER BY v.version"
    )
    return [(row["version"], row["title"]) for row in rows]


async def test_every_built_in_event_type_is_there(shared: Deps) -> None:
    names = {row["name"] for row in await shared.pool.fetch("SELECT name FROM templates WHERE owner = 'builtin'")}
    assert names == {path.stem for path in (seed.CHECKOUT / "event-types").glob("*.yaml")}
    assert names >= {"decide", "agent_message", "world_update", "check", "measure", "flow_step", "scene", "report"}
    assert await seed.load(shared.settings.database_url, seed.folder(None)) == 0


async def test_a_release_adds_a_version_and_an_old_one_does_not_take_it_back(shared: Deps, place: Path) -> None:
    dsn = shared.settings.database_url
    was = (await versions(shared))[0][1]
    change(place, title="Decide better")
    assert await seed.load(dsn, place) == 1
    assert await seed.load(dsn, seed.folder(None)) == 0
    assert await versions(shared) == [(1, was), (2, "Decide better")]
    assert await seed.load(dsn, seed.folder(None), insist=True) == 1
    assert (await versions(shared))[-1] == (3, was)


async def test_a_seed_that_is_not_valid_stops_the_start_and_names_the_file(shared: Deps, place: Path) -> None:
    dsn = shared.settings.database_url
    change(place, prompt="{{ you.gaols }}")
    with pytest.raises(StartupError, match=r"decide\.yaml is not valid: /prompt"):
        await seed.load(dsn, place)
    (place / "event-types" / "decide.yaml").write_text("a: [", "utf-8")
    with pytest.raises(StartupError, match=r"decide\.yaml cannot be read"):
        await seed.load(dsn, place)
    (place / "event-types" / "decide.yaml").write_text("- a\n", "utf-8")
    with pytest.raises(StartupError, match=r"decide\.yaml is not an event type"):
        await seed.load(dsn, place)
    assert len(await versions(shared)) == 1


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="PYSCRAI_SEED"):
        seed.folder(tmp_path)


@pytest.fixture
def empty_dsn(server_dsn: str) -> Iterator[str]:
    """A database in which there is nothing."""
    with fresh_database(server_dsn, with_database(server_dsn, "template1")) as empty:
        yield empty


def test_by_hand(empty_dsn: str) -> None:
    command = [sys.executable, "-m", "pyscrai_api.catalog.seed"]
    environment = os.environ | {"PYSCRAI_DATABASE_URL": empty_dsn}
    said = [subprocess.run(command, env=environment, capture_output=True, text=True, check=True) for _ in range(2)]
    there = len(list((seed.CHECKOUT / "event-types").glob("*.yaml")))
    assert [done.stdout for done in said] == [f"event types: {n} new or changed\n" for n in (there, 0)]
    away = environment | {"PYSCRAI_DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    done = subprocess.run(command, env=away, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.startswith("seed: cannot reach")) == (1, True)
