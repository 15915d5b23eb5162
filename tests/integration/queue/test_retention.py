"""Forgetting keeps up, and costs the same however much there is: a million ended events, and what was paid for."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from tests.integration.queue.test_query_plans import explained, nodes

from pyscrai_api import idempotency
from pyscrai_api.loops.retention import Retention
from pyscrai_api.queue.statements import sql

ENDED, PAID, TRIED = 60_000, 3_000, 40_000
_FILL = f"""
INSERT INTO events (event_type, payload, owner, created_by)
SELECT 'prompt', '{{}}', 'local', 'local' FROM generate_series(1, {ENDED});
INSERT INTO outcomes (event_id, state, lease_no, claims, failures, losses, handbacks, closing, result, finished_at)
SELECT id, 1, 2, 2, 0, 0, 1, 1, '{{}}',
  now() - interval '40 days' + make_interval(secs => (row_number() OVER (ORDER BY id) / 10)::float8)
FROM events;
INSERT INTO attempts (event_id, lease_no, kind, engine_id, leased_at)
SELECT event_id, 1, 3, gen_random_uuid(), now() FROM outcomes ORDER BY event_id DESC LIMIT {TRIED};
UPDATE outcomes SET claims = 1, handbacks = 0, lease_no = 1
WHERE NOT EXISTS (SELECT FROM attempts a WHERE a.event_id = outcomes.event_id);
INSERT INTO calls (event_id, lease_no, call, owner, try_no, state, model, input_bound, max_tokens, request_hash,
                   input_price, output_price, cost)
SELECT event_id, 1, 1, 'local', 1, 2, 'm', 1, 1, '', 0, 0,
  CASE WHEN row_number() OVER (ORDER BY event_id) <= {PAID} THEN 1 ELSE 0 END
FROM outcomes;
INSERT INTO budgets (owner, limit_usd, spent) VALUES ('local', {PAID}, {PAID});
INSERT INTO idempotency (owner, route, key, body_hash, created_at)
SELECT 'local', 'POST /events', n::text, '', now() - make_interval(hours => n % 30) FROM generate_series(1, 30000) AS n;
ANALYZE;
"""


@pytest.fixture
async def old(dsn: str) -> Any:
    """Many events that ended long ago, of which the oldest were paid for."""
    conn = await asyncpg.connect(dsn)
    await conn.execute(_FILL)
    yield conn
    await conn.close()


async def test_forgetting_reads_no_table_whole(old: asyncpg.Connection) -> None:
    await old.execute("SET plan_cache_mode = force_generic_plan")
    for text in (sql("loops", "forget"), idempotency.PRUNE):
        found = nodes(await explained(old, text))
        whole = {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"}
        assert not whole, (text, whole)
        assert not [node for node in found if node["Node Type"] in ("Hash Join", "Merge Join")]
    used = {node.get("Index Name") for node in nodes(await explained(old, sql("loops", "forget")))}
    assert "ix_outcomes_retention" in used


async def test_what_was_paid_for_is_walked_over_once(old: asyncpg.Connection, dsn: str) -> None:
    """And everything else goes, batch by batch, each with as few rows looked at as it forgets."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        now = [1000.0]
        loop = Retention(pool=pool, days=30, clock=lambda: now[0])
        passes = 0
        while (looked := await loop.run_once()) >= loop.batch:
            passes += 1
            assert looked < 2 * loop.batch
        assert ENDED / 600 < passes <= ENDED / 500 + 30000 / 500
        assert await old.fetchval("SELECT count(*) FROM events") == PAID
        for table in ("outcomes", "calls"):
            assert await old.fetchval(f"SELECT count(*) FROM {table}") == PAID
        assert await old.fetchval("SELECT count(*) FROM attempts") == 0
        assert await old.fetchval("SELECT count(*) FROM idempotency WHERE created_at < now() - interval '1 day'") == 0
        assert await loop.run_once() == 0
        await old.execute("UPDATE calls SET cost = 0")
        await old.execute("UPDATE budgets SET spent = 0")
        assert await loop.run_once() == 0, "it has been here"
        now[0] += 90_000
        assert await loop.run_once() >= loop.batch, "once a day it begins anew"


async def test_what_somebody_has_locked_is_left_and_nobody_waits(old: asyncpg.Connection, dsn: str) -> None:
    first = await old.fetchval("SELECT event_id FROM outcomes ORDER BY finished_at DESC, event_id DESC LIMIT 1")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool, old.transaction():
        await old.execute("SELECT FROM outcomes WHERE event_id = $1 FOR UPDATE", first)
        loop = Retention(pool=pool, days=30)
        while await loop.run_once() >= loop.batch:
            pass
        left = await pool.fetchval(
            "SELECT count(*) FROM events WHERE id NOT IN (SELECT event_id FROM calls WHERE cost > 0)"
        )
        assert left == 1
