"""The fixtures that every database test stands on."""

from __future__ import annotations

import asyncpg


async def test_each_test_gets_a_migrated_database_of_its_own(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        assert await connection.fetchval("SELECT to_regclass('queue')") is not None
        assert await connection.fetchval("SELECT current_setting('fsync')") == "off"
    finally:
        await connection.close()
