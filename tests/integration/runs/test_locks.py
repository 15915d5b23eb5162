"""All lock queue rows in the order of their ids, also where one dead letter ends everything else of its run."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from tests.integration.runs.desk import Desk, crowd, failed

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
LOCK = "SELECT id FROM queue WHERE id = $1 FOR UPDATE NOWAIT"


@pytest.mark.parametrize("how", ["finish", "sweep"])
async def test_a_heartbeat_and_a_death_that_ends_the_run_do_not_lock_each_other_out(desk: Desk, how: str) -> None:
    run = await desk.start(crowd(3), on_dead_letter="fail", max_losses=1)
    one, _, three = await desk.claim("actor")
    dying = three["id"]
    await desk.deps.pool.execute("UPDATE queue SET lease_until = now() - interval '1 s' WHERE id = $1", dying)

    async def die() -> None:
        if how == "finish":
            await desk.finish("actor", failed(three, permanent=True))
        else:
            run_id = await desk.deps.pool.fetchval("SELECT id FROM runs")
            await desk.deps.run_finisher.sweep_run(run_id, [dying])

    heartbeat = await asyncpg.connect(desk.deps.settings.database_url)
    try:
        async with heartbeat.transaction():
            await heartbeat.execute(LOCK, one["id"])
            death = asyncio.create_task(die())
            while not await desk.deps.pool.fetchval(WAITING):
                assert not death.done()
            await heartbeat.execute(LOCK, dying)  # raises where the death holds it already
        await death
    finally:
        await heartbeat.close()
    assert (await desk.run(run))["status"] == "failed"
