"""Ours: the product's schema by its own migrations. Rows are put in by SQL, as its statements would have."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import asyncpg

from bench.queue.payload import text
from bench.queue.postgres import Postgres
from pyscrai_api.migrations.upgrade import upgrade

LANE = "bench"
OWNER = "local"
_FILL = """
WITH made AS (
  INSERT INTO events (event_type, payload, owner, created_by)
  SELECT $3, replace($1, '"i":0,', '"i":' || g || ','), 'local', 'local' FROM generate_series(1, $2::int) g
  RETURNING id
)
INSERT INTO queue (id, lane, event_type, state, rank, pass, run_at, paused)
SELECT id, 'bench', $3, $4::smallint, 4, 1, now() + $5::interval, $6::bool FROM made
"""
_PAUSE = "INSERT INTO pauses (lane, event_type, reason, by) VALUES ('bench', 'stopped', 'a benchmark', 'local')"
_FINISHED = """
WITH made AS (
  INSERT INTO events (event_type, payload, owner, created_by)
  SELECT 'step', $1, 'local', 'local' FROM generate_series(1, $2::int) RETURNING id
)
INSERT INTO outcomes (event_id, state, lease_no, engine_id, claims, failures, losses, handbacks, closing, leased_at,
                      result)
SELECT id, 1, 1, gen_random_uuid(), 1, 0, 0, 0, 1, now(), '{"ok":true}' FROM made
"""
SCHEDULED, READY, HELD = 1, 2, 5


class Ours:
    """Over HTTP; also the ground for its SQL alone."""

    name: ClassVar[str] = "ours"
    tables: ClassVar[tuple[str, ...]] = ("events", "queue", "outcomes", "attempts", "pauses", "engines")
    states: ClassVar[tuple[str, ...]] = ("clean", "finished", "future", "held")
    counts_late: ClassVar[bool] = False
    serves: ClassVar[bool] = True

    async def create(self, postgres: Postgres, database: str) -> str:
        dsn = await postgres.create(database)
        await upgrade(dsn)
        return dsn

    async def fill(self, connection: asyncpg.Connection, number: int) -> None:
        await connection.execute(_FILL, text(0), number, "step", READY, None, None)

    async def burden(self, connection: asyncpg.Connection, state: str, number: int) -> None:
        if state == "finished":
            await connection.execute(_FINISHED, text(0), number)
        elif state == "future":
            await connection.execute(_FILL, text(0), number, "step", SCHEDULED, timedelta(days=1), None)
        else:
            await connection.execute(_PAUSE)
            await connection.execute(_FILL, text(0), number, "stopped", HELD, None, True)

    async def unfinished(self, connection: asyncpg.Connection) -> bool:
        found = "SELECT EXISTS (SELECT FROM queue WHERE state = 2) OR EXISTS (SELECT FROM queue WHERE state = 3)"
        return bool(await connection.fetchval(found))


class Statements(Ours):
    """The SQL of the same tables alone: the same statements, no HTTP, no API."""

    name: ClassVar[str] = "SQL alone"
    serves: ClassVar[bool] = False
