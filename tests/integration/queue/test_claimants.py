"""What is known of engines that ask for work: for a second, and no longer than until they change here."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.integration.queue.bench import Bench

from pyscrai_api.errors import NotFound
from pyscrai_api.queue.claimants import FRESH, Claimants


class Reads:
    """Counts how often engines are read."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.reads = self.writes = 0

    async def fetchrow(self, *asked: Any) -> Any:
        self.reads += 1
        return await self.pool.fetchrow(*asked)

    async def execute(self, *asked: Any) -> Any:
        self.writes += 1
        return await self.pool.execute(*asked)


async def test_an_engine_is_read_once_a_second_at_most(bench: Bench) -> None:
    engine, clock = UUID(await bench.engine(lease_seconds=20, capabilities=["decide"])), [0.0]
    reads = Reads(bench.deps.pool)
    claimants = Claimants(reads, clock=lambda: clock[0])
    first = await claimants.get(engine)
    assert (first.lane, first.lease_seconds, first.types, first.draining) == ("actor", 20, {"decide"}, False)
    clock[0] += FRESH * 0.9
    assert await claimants.get(engine) is first
    assert (reads.reads, reads.writes) == (1, 0)
    await bench.deps.pool.execute("UPDATE templates SET archived_at = now() WHERE name = 'decide'")
    clock[0] += FRESH * 0.2
    assert (await claimants.get(engine)).types is None
    assert reads.reads == 2
    await bench.deps.pool.execute("UPDATE engines SET status = 'gone' WHERE id = $1", engine)
    clock[0] += FRESH
    for _ in range(2):
        with pytest.raises(NotFound):
            await claimants.get(engine)
    with pytest.raises(NotFound):
        await claimants.get(uuid4())


async def test_asking_for_work_is_a_sign_of_life_once_in_a_heartbeats_time(bench: Bench) -> None:
    engine, clock = UUID(await bench.engine(lease_seconds=20, heartbeat_seconds=5)), [0.0]
    reads = Reads(bench.deps.pool)
    claimants = Claimants(reads, clock=lambda: clock[0])
    await bench.deps.pool.execute("UPDATE engines SET last_heartbeat = now() - interval '6 s'")
    for _ in range(3):
        await claimants.get(engine)
        clock[0] += FRESH
    assert reads.writes == 1
    assert await bench.deps.pool.fetchval("SELECT now() - last_heartbeat < interval '5 s' FROM engines")


async def test_what_changes_here_is_known_at_once(bench: Bench) -> None:
    engine = await bench.engine()
    assert await bench.claim(engine) == []
    posted = await bench.post(2)
    beat = await bench.call("PUT", f"/engine-instances/{engine}/heartbeat", {"status": "draining"}, 200)
    assert beat["drain"]
    assert await bench.claim(engine) == []
    other = await bench.engine()
    assert [event["id"] for event in await bench.claim(other, 1)] == posted[:1]
    await bench.call("DELETE", f"/engine-instances/{other}", None, 204)
    await bench.call("POST", "/events/claim", {"engine_id": other}, 404)


async def test_a_change_while_an_engine_is_read_is_not_missed(bench: Bench) -> None:
    engine = UUID(await bench.engine())

    class Slow(Reads):
        async def fetchrow(self, *asked: Any) -> Any:
            row = await super().fetchrow(*asked)
            claimants.forget(engine)  # it changed after it was read
            return row

    reads = Slow(bench.deps.pool)
    claimants = Claimants(reads)
    await claimants.get(engine)
    await claimants.get(engine)
    assert reads.reads == 2


async def test_a_claim_that_is_no_repeat_is_not_searched_for(bench: Bench) -> None:
    await bench.post(4)
    engine = await bench.engine()
    first = await bench.claim(engine, 2, claim_id="mine", repeat=0)
    assert [e["id"] for e in await bench.claim(engine, 2, claim_id="mine", repeat=1)] == [e["id"] for e in first]
    assert [e["id"] for e in await bench.claim(engine, 2, claim_id="mine")] == [e["id"] for e in first]
    more = await bench.claim(engine, 2, claim_id="mine", repeat=0)
    assert len({event["id"] for event in [*first, *more]}) == 4, "who says that it is none is believed"
