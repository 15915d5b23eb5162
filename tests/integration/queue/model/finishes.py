"""What the quick finish must leave alone, and must not mix up: several engines in one statement, rows that others hold,
leases under which a model was called."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import asyncpg
from tests.integration.queue.bench import until

from pyscrai_api.queue.combining import Combiner, Success

_LEASED = """
WITH made AS (
  INSERT INTO events (event_type, payload, owner, created_by)
  SELECT 'one', '{}', 'local', 'local' FROM unnest($1::uuid[]) RETURNING id
), numbered AS (
  SELECT id, row_number() OVER (ORDER BY id) AS k FROM made
)
INSERT INTO queue (id, lane, event_type, state, rank, pass, lease_no, claims, engine_id, claim_id, leased_at,
                   lease_until)
SELECT id, 'finish', 'one', 3, 4, 1, 7, 1, ($1::uuid[])[k], gen_random_uuid(), now(), now() + interval '1 h'
FROM numbered RETURNING id
"""
_OUTCOMES = "SELECT event_id, engine_id, lease_no, result FROM outcomes ORDER BY event_id"
_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE $1::int = ANY(pg_blocking_pids(pid))"


async def finishes_stand(dsn: str) -> None:
    """Raises AssertionError where a finish does what is not its own, or waits for somebody."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        combiner = Combiner(pool)
        await _each_its_own(pool, combiner)
        await _calls_are_looked_for(pool, combiner)
        await _nobody_is_waited_for(pool, combiner)
        await combiner.close()


async def leased(pool: asyncpg.Pool, *engines: UUID) -> list[int]:
    """One event for each engine, leased to it under the number 7; in order."""
    return sorted(row["id"] for row in await pool.fetch(_LEASED, list(engines)))


async def _each_its_own(pool: asyncpg.Pool, combiner: Combiner) -> None:
    one, two = uuid4(), uuid4()
    ids = await leased(pool, two, one, one, two, one, two)
    texts = {event_id: f'{{"n":{event_id}}}' for event_id in ids}
    found = await asyncio.gather(
        combiner.finish(one, [Success(i, 7, texts[i]) for i in (ids[2], ids[1])]),
        combiner.finish(two, [Success(ids[3], None, texts[ids[3]]), Success(ids[0], 7, texts[ids[0]])]),
        combiner.finish(two, [Success(ids[4], 7, "{}")]),  # not its event
        combiner.finish(two, [Success(ids[5], 6, "{}")]),  # not its number
        combiner.finish(two, [Success(10**12, 7, "{}")]),
    )
    assert [set(done) for done in found] == [{ids[1], ids[2]}, {ids[0], ids[3]}, set(), set(), set()]
    kept = [(row["event_id"], row["engine_id"], row["lease_no"], row["result"]) for row in await pool.fetch(_OUTCOMES)]
    assert kept == [(i, engine, 7, texts[i]) for i, engine in zip(ids[:4], (two, one, one, two), strict=True)]
    assert [row["id"] for row in await pool.fetch("SELECT id FROM queue ORDER BY id")] == ids[4:]


async def _calls_are_looked_for(pool: asyncpg.Pool, combiner: Combiner) -> None:
    engine = uuid4()
    now, before = await leased(pool, engine, engine)
    await pool.execute("UPDATE queue SET called = lease_no WHERE id = $1", now)
    await pool.execute("UPDATE queue SET called = lease_no - 1 WHERE id = $1", before)
    done = await combiner.finish(engine, [Success(now, 7, "{}"), Success(before, 7, "{}")])
    assert done == {before}, "somebody has to look for calls that are open under the other lease"


async def _nobody_is_waited_for(pool: asyncpg.Pool, combiner: Combiner) -> None:
    engine = uuid4()
    held, free = await leased(pool, engine, engine)
    async with pool.acquire() as holder:
        holding = holder.transaction()
        await holding.start()
        await holder.execute("SELECT FROM queue WHERE id = $1 FOR UPDATE", held)
        finish = asyncio.create_task(combiner.finish(engine, [Success(held, 7, "{}"), Success(free, 7, "{}")]))

        async def settled() -> bool:
            return finish.done() or await pool.fetchval(_WAITS, holder.get_server_pid()) > 0

        await until(settled)
        waited = not finish.done()
        await holding.commit()
        done = await finish
    assert not waited, "one row that somebody holds keeps everybody's finishes back"
    assert done == {free}
