"""What a network that repeats requests and loses answers makes of them: each found by the chaos suite, made small."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.queue.bench import Bench, back, done, failed, until

from pyscrai_api.queue.store import expire_rows

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def test_two_leases_of_one_event_in_one_report(bench: Bench) -> None:
    """The answer to a hand-back was lost; the engine has the event again and is done with it when it repeats that."""
    (event_id,) = await bench.post()
    engine = await bench.engine()
    (first,) = await bench.claim(engine)
    assert await bench.finish(engine, back(first)) == ["done"]
    (second,) = await bench.claim(engine)
    assert await bench.finish(engine, back(first), done(second)) == ["done", "done"]
    assert (await bench.event(event_id))["status"] == "completed"


async def test_each_of_two_leases_in_one_report_gets_its_own_answer(bench: Bench) -> None:
    (event_id,) = await bench.post()
    engine = await bench.engine()
    (first,) = await bench.claim(engine)
    assert await bench.finish(engine, back(first)) == ["done"]
    (second,) = await bench.claim(engine)
    never = {**second, "lease_no": 7}
    answers = await bench.finish(engine, failed(first), done(never), done(second), back(first), done(second))
    assert answers == ["stale", "stale", "done", "done", "done"]
    assert (await bench.event(event_id))["status"] == "completed"


async def test_two_cancellations_at_one_moment_say_the_same(bench: Bench) -> None:
    """Both found the event live; the one that comes second must not say that it was over before."""
    (event_id,) = await bench.post()
    async with bench.deps.pool.acquire() as conn:
        async with conn.transaction():
            await conn.execute("SELECT FROM queue WHERE id = $1 FOR UPDATE", event_id)
            path = f"/events/{event_id}/cancel"
            both = [asyncio.create_task(bench.call("POST", path)) for _ in range(2)]
            await until(lambda: _waiting(bench, 2))
        answers = await asyncio.gather(*both)
    assert [answer["state"] for answer in answers] == ["cancelled", "cancelled"]


@pytest.mark.parametrize("word", [done, failed, back])
async def test_the_last_word_of_an_engine_waits_for_the_sweep(
    bench: Bench, word: Callable[..., dict[str, Any]]
) -> None:
    """The sweep takes a lease back at the moment at which its engine ends it: the word counts, the loss does not."""
    (event_id,) = await bench.post()
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    await bench.age(event_id)
    async with bench.deps.pool.acquire() as conn:
        async with conn.transaction():
            assert [row.event_id for row in await expire_rows(conn, [event_id])] == [event_id]
            finishing = asyncio.create_task(bench.finish(engine, word(event)))
            await until(lambda: _waiting(bench, 1))
        assert await finishing == ["done"]
    counted = await bench.deps.pool.fetchrow(
        "SELECT claims, failures, losses, handbacks FROM queue UNION ALL "
        "SELECT claims, failures, losses, handbacks FROM outcomes"
    )
    assert tuple(counted) == (1, int(word is failed), 0, int(word is back))


async def _waiting(bench: Bench, count: int) -> bool:
    return int(await bench.deps.pool.fetchval(WAITING)) == count
