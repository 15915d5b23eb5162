"""Somebody holds an old snapshot, so dead entries pile up in the indexes: claims and finishes do not walk them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from tests.integration.queue.bench import Bench, done

from pyscrai_api.queue.claimer import BOTTOM, claim_text
from pyscrai_api.queue.statements import sql

DEAD = 6000


async def pages(conn: asyncpg.Connection, text: str, *arguments: Any) -> int:
    """How many pages a statement touches; what it does is rolled back."""
    work = conn.transaction()
    await work.start()
    try:
        plan = json.loads(await conn.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", *arguments))
    finally:
        await work.rollback()
    found = plan[0]["Plan"]
    return int(found["Shared Hit Blocks"] + found["Shared Read Blocks"])


async def test_dead_entries_are_not_walked(bench: Bench) -> None:
    engine = await bench.engine()
    holder = await asyncpg.connect(bench.deps.settings.database_url)
    old = holder.transaction(isolation="repeatable_read")
    await old.start()
    await holder.fetchval("SELECT count(*) FROM queue")
    claimer = None
    before = await finish_of_five(bench, engine)
    for _ in range(DEAD // 1000):
        await bench.post(1000)
    for _ in range(DEAD // 500):
        events = await bench.claim(engine, 500)
        assert set(await bench.finish(engine, *[done(event) for event in events])) == {"done"}
        (claimer,) = bench.deps.queue.claimers._claimers.values()
    assert claimer is not None
    mark = claimer._mark
    assert mark is not None, "full claims leave a mark"
    arguments = ["actor", [uuid4()], [uuid4()], [60.0]]
    await bench.post(5)
    async with bench.deps.pool.acquire() as conn:
        below = await pages(conn, claim_text(5), *arguments, *BOTTOM, None, None, bytes(5))
        above = await pages(conn, claim_text(5), *arguments, *mark, None, None, bytes(5))
    assert above < below / 2, (above, below)
    after = await finish_of_five(bench, engine)
    assert after < 2 * before, (after, before)
    await old.rollback()
    await holder.close()


async def finish_of_five(bench: Bench, engine: str) -> int:
    """The pages that finishing five events touches, in either way."""
    await bench.post(5)
    events = await bench.claim(engine, 5)
    items = sorted(e["id"] for e in events), [events[0]["lease_no"]] * 5
    async with bench.deps.pool.acquire() as conn:
        quick = await pages(conn, sql("finish", "quick"), *items, [UUID(engine)] * 5, ["{}"] * 5)
        return quick + await pages(conn, sql("finish", "succeed"), *items, ["{}"] * 5, UUID(engine))
