"""The database that is new, newer, old, away, or back again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from pyscrai_api import database
from pyscrai_api.deps import Deps, open_deps
from pyscrai_api.errors import StartupError
from pyscrai_api.settings import Settings


@pytest.fixture
async def bare(dsn: str) -> str:
    """A database in which nothing is yet."""
    await _run(dsn, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return dsn


@pytest.fixture
def secret(dsn: str) -> str:
    return urlsplit(dsn).password or "nothing-secret-here"


async def _run(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_many_processes_may_migrate_and_seed_together(bare: str) -> None:
    async def start() -> int:
        async with open_deps(Settings(database_url=bare)) as deps:
            return int(await deps.pool.fetchval("SELECT count(*) FROM template_versions WHERE created_by = 'builtin'"))

    counts = await asyncio.gather(*(start() for _ in range(4)))
    assert len(set(counts)) == 1
    assert counts[0] > 0


async def test_a_newer_database_is_left_alone(dsn: str) -> None:
    await _run(dsn, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StartupError, match="newer PyScrAI"):
        await database.migrate(dsn)
    await _run(dsn, f"UPDATE alembic_version SET version_num = '{database.newest_revision()}'")


async def test_a_database_that_cannot_be_migrated_says_why_and_stays_as_it_was(bare: str) -> None:
    await _run(bare, "CREATE TABLE queue (id int)")
    with pytest.raises(StartupError, match="cannot be migrated"):
        await database.migrate(bare)
    connection = await asyncpg.connect(bare)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    assert [row["tablename"] for row in tables] == ["queue"]
    await _run(bare, "DROP TABLE queue")
    await database.migrate(bare)


async def test_an_old_server_is_named(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "OLDEST_POSTGRES", 99)
    with pytest.raises(StartupError, match="99 or newer is needed"):
        await database.connect(Settings(database_url=dsn))


async def test_no_database_at_all() -> None:
    with pytest.raises(StartupError, match="PYSCRAI_DATABASE_URL"):
        async with open_deps(Settings()):
            pass


async def test_a_database_that_is_not_there(dsn: str, secret: str) -> None:
    missing = urlunsplit(urlsplit(dsn)._replace(path="/no_such_database"))
    with pytest.raises(StartupError, match="no database of that name") as caught:
        await database.migrate(missing)
    assert secret not in str(caught.value)


async def test_a_wrong_password_or_user(dsn: str, secret: str) -> None:
    parts = urlsplit(dsn)
    wrong = urlunsplit(parts._replace(netloc=f"nobody_of_that_name:guess@{parts.hostname}:{parts.port}"))
    with pytest.raises(StartupError, match="refuses the user or the password") as caught:
        await database.migrate(wrong)
    assert "guess" not in str(caught.value)


@pytest.mark.parametrize("dsn_text", ["postgresql://127.0.0.1:1/x", "postgresql:///x?host=/nowhere", "mysql://x/y"])
async def test_a_server_that_is_not_there(dsn_text: str) -> None:
    with pytest.raises(StartupError, match="cannot reach"):
        await database.migrate(dsn_text)


async def test_behind_pgbouncer_no_statement_is_kept(dsn: str) -> None:
    async with open_deps(Settings(database_url=dsn, statement_cache=0)) as deps:
        async with deps.pool.acquire() as connection:
            await connection.fetchval("SELECT $1::int", 1)
            assert (
                await connection.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%$1%'")
                == 0
            )
        async with deps.catalog.templates.session() as session:
            assert (await deps.catalog.templates.page(session, None, owner="local", limit=5, after=None)).items


async def test_every_connection_has_its_limits(shared: Deps) -> None:
    assert await shared.pool.fetchval("SHOW statement_timeout") == "30s"
    assert await shared.pool.fetchval("SHOW application_name") == "pyscrai_api"


async def test_a_slow_statement_is_not_waited_for_for_ever(settings: Settings) -> None:
    pool = await database.connect(replace(settings, statement_timeout=0.05))
    try:
        with pytest.raises(asyncpg.QueryCanceledError):
            await pool.execute("SELECT pg_sleep(60)")
    finally:
        await pool.close()


async def test_cut_connections_are_made_anew(api: httpx.AsyncClient, dsn: str) -> None:
    async def listed() -> int:
        return (await api.get("/api/v1/templates")).status_code

    assert await listed() == 200
    assert (await api.get("/readyz")).status_code == 200
    await _run(
        dsn,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    async with asyncio.timeout(30):
        while await listed() != 200 or (await api.get("/readyz")).status_code != 200:
            pass
    assert await listed() == 200
