"""Engines that go while their claims wait, and claims of which one repeat is answered and another is not."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from tests.integration.queue.bench import Bench, done, until

from pyscrai.contract.engines import RegisterEngine
from pyscrai_api.queue.presence import Client


async def _gets_nothing(bench: Bench, claim: asyncio.Task[list[dict[str, object]]]) -> None:
    """A claim that waits is answered with nothing, long before its time, and what comes then is for somebody else."""
    async with asyncio.timeout(20):
        assert await claim == []
    (event,) = await bench.post(1)
    other = await bench.engine()
    assert [found["id"] for found in await bench.claim(other)] == [event]


async def _parked(bench: Bench, engine: str) -> asyncio.Task[list[dict[str, object]]]:
    claim = asyncio.create_task(bench.claim(engine, wait=60))
    await until(lambda: bench.deps.queue.claimers.parked)
    return claim


async def test_a_claim_of_an_engine_that_leaves_waits_no_longer(bench: Bench) -> None:
    engine = await bench.engine()
    claim = await _parked(bench, engine)
    await bench.call("DELETE", f"/engine-instances/{engine}", None, 204)
    await _gets_nothing(bench, claim)


async def test_a_claim_of_an_engine_that_is_to_drain_waits_no_longer(bench: Bench) -> None:
    engine = await bench.engine()
    claim = await _parked(bench, engine)
    await bench.call("POST", f"/engine-instances/{engine}/drain", None, 200)
    await _gets_nothing(bench, claim)


async def test_engines_of_somebody_who_is_removed_get_nothing_from_that_moment_on(bench: Bench) -> None:
    await bench.deps.users.add("bob", "local")
    made, _ = await bench.deps.queue.engines.register(RegisterEngine(engine_type="actor", pool="bob"), "bob")
    assert await bench.claim(made.id) == []  # it is known here now
    claim = await _parked(bench, made.id)
    await bench.call("DELETE", "/users/bob", None, 204)
    async with asyncio.timeout(20):
        assert await claim == []
    await bench.call("POST", "/events/claim", {"engine_id": made.id, "max": 1}, 404)


async def test_what_one_of_two_repeats_has_got_does_not_go_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, claim_id = await bench.engine(), str(uuid4())
    gone = iter((False, True))  # the first gets its answer, the second goes just then
    monkeypatch.setattr(Client, "left", lambda self: next(gone))
    claimers = bench.deps.queue.claimers
    claims = [asyncio.create_task(bench.claim(engine, wait=60, claim_id=claim_id, repeat=0)) for _ in range(2)]
    await until(lambda: claimers.waiting == 2)
    await bench.post(1)
    (mine,), (same,) = await asyncio.gather(*claims)
    assert (mine["id"], mine["lease_no"]) == (same["id"], same["lease_no"])
    await until(lambda: not claimers._going_back)
    assert (await bench.row(mine["id"]))["engine_id"] == UUID(engine)
    assert await bench.finish(engine, done(mine)) == ["done"]
