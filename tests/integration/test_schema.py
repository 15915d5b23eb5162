"""A migrated database and one made from the declared tables are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import asyncpg
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from pyscrai_api import database
from pyscrai_api.migrations.upgrade import config
from pyscrai_api.tables import Base

T = TypeVar("T")

CONSTRAINTS = """
SELECT c.conrelid::regclass::text AS relation, c.conname::text AS name, pg_get_constraintdef(c.oid) AS definition
FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
WHERE n.nspname = 'public' AND c.conrelid <> 0
"""
INDEXES = """
SELECT i.indrelid::regclass::text AS relation, i.indexrelid::regclass::text AS name,
       pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace
"""
COLUMNS = """
SELECT a.attrelid::regclass::text AS relation, a.attname::text AS name,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
                 'default ' || pg_get_expr(d.adbin, d.adrelid), 'identity ' || nullif(a.attidentity::text, ''),
                 'at ' || a.attnum) AS definition
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""
OPTIONS = """
SELECT oid::regclass::text AS relation, relkind::text AS name, array_to_string(reloptions, ', ') AS definition
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')
"""
ASPECTS = {"constraints": CONSTRAINTS, "indexes": INDEXES, "columns": COLUMNS, "options": OPTIONS}


async def on(dsn: str, work: Callable[[Connection], T]) -> T:
    engine = database.engine(dsn, statement_cache=0)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


async def described(dsn: str) -> dict[str, dict[tuple[str, str], str]]:
    connection = await asyncpg.connect(dsn)
    try:
        found = {}
        for aspect, query in ASPECTS.items():
            rows = await connection.fetch(query)
            found[aspect] = {
                (row["relation"], row["name"]): row["definition"]
                for row in rows
                if not row["relation"].startswith("alembic_version")
            }
        return found
    finally:
        await connection.close()


async def emptied(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()


async def test_the_migrations_make_what_the_tables_declare(dsn: str) -> None:
    migrated = await described(dsn)
    await emptied(dsn)
    await on(dsn, Base.metadata.create_all)
    declared = await described(dsn)
    for aspect in ASPECTS:
        assert migrated[aspect] == declared[aspect], aspect
    assert len(migrated["columns"]) > 100
    assert any("fillfactor" in (option or "") for option in migrated["options"].values())
    await emptied(dsn)
    await database.migrate(dsn)


async def test_every_constraint_and_index_has_a_name_of_ours(dsn: str) -> None:
    found = await described(dsn)
    # pg_get_constraintdef also lists PostgreSQL 18's NOT NULL constraints, which are columns' business.
    names = {name for (_, name), what in found["constraints"].items() if not what.startswith("NOT NULL")}
    names |= {name for _, name in found["indexes"]}
    assert {name for name in names if name.split("_")[0] not in ("pk", "fk", "uq", "ck", "ix")} == set()


async def test_alembic_finds_nothing_to_do(dsn: str) -> None:
    await on(dsn, lambda connection: command.check(config(connection)))


async def test_the_history_is_one_line_and_its_end_is_in_a_file_name(dsn: str) -> None:
    script = await on(dsn, lambda connection: ScriptDirectory.from_config(config(connection)))
    assert script.get_heads() == [database.newest_revision()]
    assert len(list(script.walk_revisions())) == len(list((database.MIGRATIONS / "versions").glob("0*.py")))


async def test_down_and_up_again(dsn: str) -> None:
    before = await described(dsn)
    await on(dsn, lambda connection: command.downgrade(config(connection), "base"))
    assert (await described(dsn))["columns"] == {}
    await database.migrate(dsn)
    assert await described(dsn) == before
