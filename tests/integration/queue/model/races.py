"""What only two at once can show: a claim neither waits for another one nor takes what that one is taking."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import asyncpg
from tests.integration.queue.bench import until

from pyscrai_api.queue.claimer import BOTTOM, claim_text

_POST = """
WITH made AS (
  INSERT INTO events (event_type, payload, owner, created_by) SELECT 'one', '{}', 'local', 'local'
  FROM generate_series(1, 3) RETURNING id
)
INSERT INTO queue (id, lane, event_type, state, rank, pass) SELECT id, 'race', 'one', 2, 4, 1 FROM made RETURNING id
"""
_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE $1::int = ANY(pg_blocking_pids(pid))"


async def claims_never_meet(dsn: str) -> None:
    """A claim of one row that has not committed yet, and a second one. Raises AssertionError where they meet."""
    one, two, onlooker = [await asyncpg.connect(dsn) for _ in range(3)]
    try:
        ids = sorted(row["id"] for row in await onlooker.fetch(_POST))
        first = one.transaction()
        await first.start()
        taken = [row["id"] for row in await _claim(one)]
        second = asyncio.create_task(_claim(two))

        async def settled() -> bool:
            return second.done() or await onlooker.fetchval(_WAITS, one.get_server_pid()) > 0

        await until(settled)
        waited = not second.done()
        await first.commit()
        also = [row["id"] for row in await second]
        assert not waited, "a claim waited for another one"
        assert (taken, also) == (ids[:1], ids[1:2])
    finally:
        for connection in (one, two, onlooker):
            await connection.close()


async def rows_go_to_their_polls(dsn: str) -> None:
    """One claim for two polls, of what is not excluded. Raises AssertionError where a row goes astray."""
    conn = await asyncpg.connect(dsn)
    try:
        ids = sorted(row["id"] for row in await conn.fetch(_POST))
        await conn.execute("UPDATE queue SET event_type = 'two' WHERE id = $1", ids[1])
        engines, claims = [uuid4(), uuid4()], [uuid4(), uuid4()]
        rows = await conn.fetch(
            claim_text(2), "race", engines, claims, [60.0, 90.0], *BOTTOM, None, ["two"], bytes([1, 0])
        )
        assert [(row["id"], row["slot"], row["lease_for"]) for row in rows] == [(ids[0], 2, 90.0), (ids[2], 1, 60.0)]
        kept = await conn.fetch("SELECT engine_id, claim_id, state FROM queue WHERE id = ANY($1) ORDER BY id", ids)
        assert [tuple(row) for row in kept] == [
            (engines[1], claims[1], 3), (None, None, 2), (engines[0], claims[0], 3),
        ]  # fmt: skip
    finally:
        await conn.close()


async def _claim(conn: asyncpg.Connection) -> list[asyncpg.Record]:
    slot = [uuid4()], [uuid4()], [60.0]
    rows: list[asyncpg.Record] = await conn.fetch(claim_text(1), "race", *slot, *BOTTOM, None, None, bytes(1))
    return rows
