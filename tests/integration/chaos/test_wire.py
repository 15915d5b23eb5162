"""The line between a replica and the database breaks at the moment that it says."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from tests.chaos.wire import Wire


@asynccontextmanager
async def line(dsn: str) -> AsyncIterator[tuple[Wire, str, list[str]]]:
    parts = urlsplit(dsn)
    did: list[str] = []
    async with Wire(parts.port or 5432, did.append, random.Random(1)) as wire:
        yield wire, urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[0] + f"@127.0.0.1:{wire.port}")), did


async def there(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM pauses"))
    finally:
        await connection.close()


INSERT = "INSERT INTO pauses (lane, event_type, reason, by) VALUES ('a', $1, '', '')"


async def test_much_passes_both_ways(dsn: str) -> None:
    async with line(dsn) as (_, through, _):
        connection = await asyncpg.connect(through)
        big = "x" * 5_000_000
        assert await connection.fetchval("SELECT $1::text || $1::text", big) == big + big
        await connection.close()


async def test_the_ports_of_the_line_are_those_that_the_server_knows(dsn: str) -> None:
    async with line(dsn) as (wire, through, _):
        connection = await asyncpg.connect(through)
        port = await connection.fetchval("SELECT client_port FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        assert wire.ports == [port]
        await connection.close()


async def test_cut_in_mid_commit_is_committed_and_not_known(dsn: str) -> None:
    async with line(dsn) as (wire, through, did):
        connection = await asyncpg.connect(through)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(INSERT, "in doubt")
        wire.cut_in_doubt()
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await transaction.commit()
        assert did == ["database line cut in mid-commit"]
        connection.terminate()
        assert await there(dsn) == 1


async def test_cut_in_mid_transaction_is_rolled_back(dsn: str) -> None:
    async with line(dsn) as (wire, through, _):
        connection = await asyncpg.connect(through)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(INSERT, "lost")
        assert wire.cut(10) == 1
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await transaction.commit()
        connection.terminate()
        assert await there(dsn) == 0
