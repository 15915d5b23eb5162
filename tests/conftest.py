"""Fixtures for every test: a real PostgreSQL, a fresh database per test, no paid models.

The server is the one that PYSCRAI_TEST_DATABASE_URL names, else a container with PYSCRAI_TEST_DOCKER=1, else an
embedded one without fsync in a temporary data folder.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import structlog

# Before anything of ours, or of agno's, is imported: both read the environment.
os.environ["PYSCRAI_NO_PAID_MODELS"] = "1"
os.environ["AGNO_TELEMETRY"] = "false"

# The default for a terminal draws every traceback with its local variables, which takes seconds.
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)])

# Whoever starts this in the background (`&`, nohup) has it ignore these, which every process that a test starts would
# inherit, and then never hear the signal that the test sends. A handler that does nothing ignores them here only.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda number, frame: None)

T = TypeVar("T")
ROOT = Path(__file__).parent.parent
INVARIANTS = ROOT / "services" / "pyscrai_api" / "queue" / "sql" / "invariants.sql"
CHECKED_FLOORS = {"integration", "acceptance"}
LONGEST = (
    "acceptance/test_chaos.py",
    "integration/money/test_property.py",
    "acceptance/test_troubles.py",
    "acceptance/test_cli.py",
    "acceptance/test_money_killed.py",
    "acceptance/test_races.py",
    "acceptance/test_local_model.py",
    "acceptance/test_kills.py",
    "acceptance/test_golden.py",
    "acceptance/test_races_at_seats.py",
    "acceptance/test_tutorial.py",
)
"""Files that take half a minute or more on two cores. They begin first, since a worker plays a whole file: one that
began last would keep the other worker waiting."""
MOST_SECONDS = "PYSCRAI_TEST_MOST_SECONDS"
"""No test may take longer, whatever it asks for; so that one that hangs is named while somebody still waits."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, and nobody's patience longer than is asked for."""
    rank = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(LONGEST)))
    most = float(os.environ.get(MOST_SECONDS, "inf"))
    for item in items:
        asked = item.get_closest_marker("timeout")
        if asked is not None and asked.args[0] > most:
            item.add_marker(pytest.mark.timeout(most), append=False)


def named_queries(text: str) -> dict[str, str]:
    """The queries of a file in which `-- name: xyz` lines stand before each."""
    parts = re.split(r"^-- name: *(\S+).*$", text, flags=re.MULTILINE)
    return {name: query.strip().rstrip(";") for name, query in zip(parts[1::2], parts[2::2], strict=True)}


def run_apart(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine in a thread of its own, so that it never meets the test's event loop."""

    async def main() -> T:
        return await work()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(main())).result()


def execute(dsn: str, *statements: str) -> None:
    """Run statements outside a transaction."""

    async def work() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    run_apart(work)


def with_database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """A PostgreSQL server on which this session may create databases."""
    given = os.environ.get("PYSCRAI_TEST_DATABASE_URL")
    if given:
        yield given
    elif os.environ.get("PYSCRAI_TEST_DOCKER") == "1":
        from testcontainers.postgres import PostgresContainer

        with PostgresContainer("postgres:18", driver=None) as container:
            yield container.get_connection_url()
    else:
        from pyscrai.embedded.database import embedded_database, remove_database

        with tempfile.TemporaryDirectory(prefix="pyscrai-test-") as folder:
            data = Path(folder)
            try:
                with embedded_database(data, durable=False) as dsn:
                    yield dsn
            finally:
                remove_database(data)


@pytest.fixture(scope="session")
def template_dsn(server_dsn: str) -> Iterator[str]:
    """A migrated database with the built-in event types; every test's database is a copy of it."""
    from pyscrai_api.catalog import seed
    from pyscrai_api.database import migrate

    name = f"pyscrai_template_{os.getpid()}"
    execute(server_dsn, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    dsn = with_database(server_dsn, name)
    try:
        run_apart(lambda: migrate(dsn))
        run_apart(lambda: seed.load(dsn, seed.folder(None)))
        yield dsn
    finally:
        execute(server_dsn, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def dsn(request: pytest.FixtureRequest, server_dsn: str, template_dsn: str) -> Iterator[str]:
    """A fresh database, as a service has it that just started. After integration and acceptance tests its invariants
    must hold."""
    with fresh_database(server_dsn, template_dsn) as fresh:
        yield fresh
        if CHECKED_FLOORS & set(request.path.relative_to(ROOT).parts):
            hold_invariants(fresh)


@contextmanager
def fresh_database(server_dsn: str, template_dsn: str) -> Iterator[str]:
    """A copy of the template, which is dropped at the end whoever still uses it."""
    template = urlsplit(template_dsn).path.removeprefix("/")
    name = f"pyscrai_test_{os.getpid()}_{secrets.token_hex(4)}"
    execute(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    try:
        yield with_database(server_dsn, name)
    finally:
        execute(server_dsn, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def hold_invariants(dsn: str) -> None:
    """Raises AssertionError with what is broken."""
    broken = run_apart(lambda: broken_invariants(dsn))
    assert not broken, "invariants broken:\n" + "\n".join(broken)


async def broken_invariants(dsn: str) -> list[str]:
    """The invariants that do not hold, each with some of the rows that break it."""
    queries = named_queries(INVARIANTS.read_text("utf-8"))
    connection = await asyncpg.connect(dsn)
    try:
        found = [(name, await connection.fetch(query)) for name, query in queries.items()]
    finally:
        await connection.close()
    return [f"{name}: {len(rows)} rows, for example {[dict(row) for row in rows[:3]]}" for name, rows in found if rows]
