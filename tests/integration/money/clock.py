"""A day that a test can end: a clock in front of the database's own, for one database.

What asks PostgreSQL for `clock_timestamp()` without naming a schema gets this one: its schema is searched first.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import asyncpg

_SCHEMA = """
CREATE SCHEMA ahead;
CREATE TABLE ahead.clock (shift interval NOT NULL);
INSERT INTO ahead.clock VALUES ('0');
CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  'SELECT pg_catalog.clock_timestamp() + shift FROM ahead.clock';
"""


async def install(dsn: str) -> None:
    """For connections that are opened from now on."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_SCHEMA)
        name = urlsplit(dsn).path.removeprefix("/")
        await connection.execute(f'ALTER DATABASE "{name}" SET search_path = ahead, pg_catalog, public')
    finally:
        await connection.close()


async def advance(pool: asyncpg.Pool, days: int = 1) -> None:
    """So many days pass."""
    await pool.execute("UPDATE ahead.clock SET shift = shift + $1", timedelta(days=days))
