"""pgqueuer, with the autovacuum settings that its guide recommends (`pgq autovac`)."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import asyncpg

from bench.queue.payload import text
from bench.queue.postgres import Postgres

_FINISHED = """
INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority, aggregated)
SELECT -g, s::pgqueuer_status, 'bench', 0, true
FROM generate_series(1, $1::int) g, unnest(ARRAY['queued', 'picked', 'successful']) s
"""
BATCH = 5000


class Pgqueuer:
    """It deletes finished jobs and keeps three lines of a log for each. It knows nothing like held jobs."""

    name: ClassVar[str] = "pgqueuer"
    tables: ClassVar[tuple[str, ...]] = ("pgqueuer", "pgqueuer_log", "pgqueuer_statistics")
    states: ClassVar[tuple[str, ...]] = ("clean", "finished", "future")
    counts_late: ClassVar[bool] = True
    serves: ClassVar[bool] = False

    async def create(self, postgres: Postgres, database: str) -> str:
        from pgqueuer.queries import Queries

        dsn = await postgres.create(database)
        connection = await asyncpg.connect(dsn)
        try:
            queries = Queries.from_asyncpg_connection(connection)
            await queries.install()
            await queries.optimize_autovacuum()
        finally:
            await connection.close()
        return dsn

    async def fill(self, connection: asyncpg.Connection, number: int) -> None:
        await self._enqueue(connection, number, None)

    async def burden(self, connection: asyncpg.Connection, state: str, number: int) -> None:
        if state == "finished":
            await connection.execute(_FINISHED, number)
        else:
            await self._enqueue(connection, number, timedelta(days=1))

    async def _enqueue(self, connection: asyncpg.Connection, number: int, after: timedelta | None) -> None:
        from pgqueuer.queries import Queries

        queries = Queries.from_asyncpg_connection(connection)
        for first in range(0, number, BATCH):
            size = min(BATCH, number - first)
            jobs: list[bytes | None] = [text(first + i).encode() for i in range(size)]
            await queries.enqueue(["bench"] * size, jobs, [0] * size, execute_after=[after] * size)

    async def unfinished(self, connection: asyncpg.Connection) -> bool:
        found = "SELECT EXISTS (SELECT FROM pgqueuer WHERE execute_after <= now())"
        return bool(await connection.fetchval(found))
