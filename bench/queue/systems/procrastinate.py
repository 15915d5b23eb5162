"""procrastinate, as it comes."""

from __future__ import annotations

from typing import ClassVar

import asyncpg

from bench.queue.payload import text
from bench.queue.postgres import Postgres

_FILL = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)
SELECT 'bench', 'bench', $1::jsonb || jsonb_build_object('i', g), now() + $3::interval
FROM generate_series(1, $2::int) g
"""
_FINISHED = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts)
SELECT 'bench', 'bench', $1::jsonb, 'succeeded', 1 FROM generate_series(1, $2::int)
"""
_EVENTS = """
INSERT INTO procrastinate_events (job_id, type)
SELECT j.id, s::procrastinate_job_event_type
FROM procrastinate_jobs j, unnest(ARRAY['deferred', 'started', 'succeeded']) s
"""


class Procrastinate:
    """It keeps finished jobs in the table of live ones. It knows nothing like held jobs."""

    name: ClassVar[str] = "procrastinate"
    tables: ClassVar[tuple[str, ...]] = ("procrastinate_jobs", "procrastinate_events", "procrastinate_workers")
    states: ClassVar[tuple[str, ...]] = ("clean", "finished", "future")
    counts_late: ClassVar[bool] = True
    serves: ClassVar[bool] = False

    async def create(self, postgres: Postgres, database: str) -> str:
        import procrastinate

        dsn = await postgres.create(database)
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
        return dsn

    async def fill(self, connection: asyncpg.Connection, number: int) -> None:
        await self._without_triggers(connection, _FILL, text(0), number, None)

    async def burden(self, connection: asyncpg.Connection, state: str, number: int) -> None:
        from datetime import timedelta

        if state == "finished":
            await self._without_triggers(connection, _FINISHED, text(0), number)
            await connection.execute(_EVENTS)
        else:
            await self._without_triggers(connection, _FILL, text(0), number, timedelta(days=1))

    async def _without_triggers(self, connection: asyncpg.Connection, statement: str, *values: object) -> None:
        """Its triggers would notify and log for each row, which no worker of the measurement looks at."""
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(statement, *values)

    async def unfinished(self, connection: asyncpg.Connection) -> bool:
        found = """
        SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo' AND coalesce(scheduled_at <= now(), true))
          OR EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'doing')
        """
        return bool(await connection.fetchval(found))
