"""Reservations that come twice, in odd company, or whose engine dies before it says what a call cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.integration.runs.desk import Desk, back, call, crowd, done, money, settled

from pyscrai_api.invariants import broken
from pyscrai_api.loops.reservations import Reservations

PRICED = {"model": "openai:test", "prices": {"openai:test": {"input": "1", "output": "2"}}}
BOUND = Decimal("0.0012")


async def priced(desk: Desk, limit: Decimal, seats: int = 2) -> dict[str, Any]:
    return await desk.start(crowd(seats), **PRICED, limit=f"{limit:f}")


async def reserve(desk: Desk, *calls: dict[str, Any]) -> list[str]:
    engine = await desk.engine("actor")
    grants = await desk.ok("POST", "/events/reserve", {"engine_id": engine["id"], "calls": list(calls)})
    return [grant["state"] for grant in grants]


async def sound(desk: Desk) -> bool:
    async with desk.deps.pool.acquire() as conn:
        return {name: rows for name, rows in (await broken(conn)).items() if rows} == {}


def loop(desk: Desk) -> Reservations:
    return Reservations(pool=desk.deps.pool, loose=desk.deps.queue.loose, runs=desk.deps.run_finisher)


async def later(desk: Desk) -> None:
    """Every lease that has ended did so long ago."""
    await desk.deps.pool.execute("UPDATE attempts SET ended_at = ended_at - interval '10 minutes'")


async def test_one_reservation_twice_in_a_batch_is_one(desk: Desk) -> None:
    run = await priced(desk, Decimal(1))
    one, _ = await desk.claim("actor")
    assert await reserve(desk, call(one), call(one)) == ["granted", "granted"]
    assert money((await desk.run(run))["reserved"]) == BOUND
    assert await sound(desk)


async def test_a_reservation_that_comes_again_after_its_settlement_is_stale(desk: Desk) -> None:
    run = await priced(desk, Decimal(1))
    one, two = await desk.claim("actor")
    await reserve(desk, call(one))
    await desk.finish("actor", calls=[settled(one)])
    assert await reserve(desk, call(one), call(two)) == ["stale", "granted"]
    assert money((await desk.run(run))["reserved"]) == BOUND
    assert await sound(desk)


async def test_an_event_that_was_refused_money_gets_none_later_in_the_same_batch(desk: Desk) -> None:
    run = await priced(desk, BOUND)
    one, _ = await desk.claim("actor")
    assert await reserve(desk, call(one, input_bound=5000), call(one, call=2)) == ["refused", "stale"]
    assert money((await desk.run(run))["reserved"]) == 0
    assert await sound(desk)


async def test_a_call_of_an_engine_that_dies_after_a_refused_repair_is_charged_in_the_end(desk: Desk) -> None:
    run = await priced(desk, BOUND)
    one, two = await desk.claim("actor")
    await desk.finish("actor", done(two))
    assert await reserve(desk, call(one)) == ["granted"]
    assert await reserve(desk, call(one, call=2)) == ["refused"]  # and nothing is ever heard of the first call
    assert (await desk.run(run))["status"] == "running"
    assert await loop(desk).run_once() == 0, "its usage may still come"
    await later(desk)
    assert await loop(desk).run_once() == 1
    after = await desk.run(run)
    assert (after["status"], after["reason"]["code"]) == ("paused", "out_of_money")
    assert (money(after["spent"]), money(after["reserved"])) == (BOUND, 0)
    await desk.finish("actor", calls=[settled(one)])
    assert money((await desk.run(run))["spent"]) == Decimal("0.0002")
    assert await sound(desk)
    assert (await desk.ok("POST", f"/runs/{run['id']}/resume", {"limit": "1"}))["status"] == "running"
    assert (await desk.play(run))["status"] == "completed"


async def test_the_same_without_a_run(desk: Desk) -> None:
    event = {"engine_type": "actor", "data": {"prompt": "hello"}, "model": "openai:gpt-4o-mini"}
    await desk.ok("POST", "/events", event)
    (one,) = await desk.claim("actor")
    assert await reserve(desk, call(one), call(one)) == ["granted", "granted"]
    assert await reserve(desk, call(one, call=2, input_bound=2_000_000_000)) == ["refused"]
    assert await sound(desk)
    await later(desk)
    assert await loop(desk).run_once() == 1
    assert await desk.deps.pool.fetchval("SELECT open_calls FROM budgets") == 0
    assert await sound(desk)


async def test_a_call_whose_usage_nobody_knows_is_counted_once_however_often_it_comes(desk: Desk) -> None:
    run = await priced(desk, Decimal(1))
    one, _ = await desk.claim("actor")
    await reserve(desk, call(one))
    for _ in range(3):
        await desk.finish("actor", done(one), calls=[settled(one, usage=None)])
    assert (await desk.run(run))["model_calls"] == 1
    await desk.finish("actor", calls=[settled(one)])
    after = await desk.run(run)
    assert (after["model_calls"], money(after["spent"])) == (1, Decimal("0.0002"))


async def test_raising_the_limit_of_a_run_that_runs_lets_who_waits_go_on_at_once(desk: Desk) -> None:
    run = await priced(desk, BOUND)
    one, two = await desk.claim("actor")
    assert await reserve(desk, call(one), call(two)) == ["granted", "refused"]
    await desk.ok("PATCH", f"/runs/{run['id']}", {"limit": "1"})
    (again,) = await desk.claim("actor")
    assert again["id"] == two["id"]
    await desk.finish("actor", back(again))
    assert await sound(desk)
