"""Money of events without a run: drawn from their owner's budget, whatever becomes of leases."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.integration.queue.bench import Bench, done, failed

from pyscrai_api.settings import Settings

MODEL = "openai:priced"
USAGE = {"input_tokens": 1000, "output_tokens": 0}


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    """A model at one dollar per thousand tokens, and a limit of ten dollars."""
    prices = tmp_path / "prices.yaml"
    prices.write_text(f"'{MODEL}': {{input: '1000', output: '1000'}}\n")
    return Settings(database_url=dsn, runs_at_once=None, prices=prices, default_limit=Decimal(10))


def call(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A call that may cost four dollars."""
    return {
        "event_id": event["id"], "lease_no": event["lease_no"], "call": 1, "model": MODEL,
        "input_bound": 3000, "max_tokens": 1000, "request_hash": "h", **more,
    }  # fmt: skip


def record(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "event_id": event["id"], "lease_no": event["lease_no"], "call": 1, "model": MODEL, "usage": USAGE,
        "answer": "hi \u0000", "seconds": 0.5, **more,
    }  # fmt: skip


async def reserve(bench: Bench, engine: str, *calls: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await bench.call(
        "POST", "/events/reserve", {"engine_id": engine, "calls": list(calls)}, 200
    )
    return found


async def budget(bench: Bench) -> tuple[str, str, int]:
    row = await bench.deps.pool.fetchrow("SELECT spent, reserved, open_calls FROM budgets WHERE owner = 'local'")
    return (f"{row['spent'].normalize():f}", f"{row['reserved'].normalize():f}", row["open_calls"])


async def test_reserve_then_settle_with_the_finish(bench: Bench) -> None:
    await bench.post()
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    (grant,) = await reserve(bench, engine, call(event))
    assert (grant["state"], Decimal(grant["reserved"])) == ("granted", 4)
    assert await budget(bench) == ("0", "4", 1)
    assert (await reserve(bench, engine, call(event)))[0]["state"] == "granted", "a repeat"
    assert await budget(bench) == ("0", "4", 1)
    assert await bench.finish(engine, done(event), calls=[record(event)]) == ["done"]
    assert await budget(bench) == ("1", "0", 0)
    assert await bench.finish(engine, done(event), calls=[record(event)]) == ["done"]
    assert await budget(bench) == ("1", "0", 0)
    assert await bench.deps.pool.fetchval("SELECT answer FROM calls") == "hi �"


async def test_a_call_that_was_not_sent_costs_nothing(bench: Bench) -> None:
    await bench.post()
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    await reserve(bench, engine, call(event))
    await bench.finish(engine, failed(event), calls=[record(event, sent=False, usage=None)])
    assert await budget(bench) == ("0", "0", 0)


async def test_a_lease_that_ends_silently_is_charged_in_full_until_somebody_knows(bench: Bench) -> None:
    await bench.post()
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    await reserve(bench, engine, call(event))
    await bench.age(event["id"])
    assert await bench.deps.queue.loose.sweep([event["id"]]) == 1
    assert await budget(bench) == ("4", "0", 0)
    other = await bench.engine()
    await bench.claim(other)
    assert await bench.finish(engine, done(event), calls=[record(event)]) == ["stale"], "and yet it was paid for"
    assert await budget(bench) == ("1", "0", 0)


async def test_a_reservation_needs_the_lease(bench: Bench) -> None:
    await bench.post()
    engine, other = await bench.engine(), await bench.engine()
    (event,) = await bench.claim(engine)
    unknown = {**call(event), "event_id": 99_999}
    assert [g["state"] for g in await reserve(bench, other, call(event), unknown)] == ["stale", "stale"]
    assert (await reserve(bench, engine, call(event, lease_no=9)))[0]["state"] == "stale"


async def test_the_limit_holds_with_many_at_once(bench: Bench) -> None:
    await bench.post(12)
    engines = [await bench.engine() for _ in range(12)]
    events = [(await bench.claim(engine, 1))[0] for engine in engines]
    grants = await asyncio.gather(
        *[reserve(bench, engine, call(event)) for engine, event in zip(engines, events, strict=True)]
    )
    states = [grant["state"] for (grant,) in grants]
    assert sorted(states) == ["granted"] * 2 + ["refused"] * 10
    assert await budget(bench) == ("0", "8", 2)
    waiting = await bench.deps.pool.fetchval("SELECT count(*) FROM queue WHERE state = 1 AND handbacks = 1")
    assert waiting == 10, "refused while others are open: tried again soon"


async def test_out_of_money_with_nothing_open_is_a_dead_letter_that_says_so(bench: Bench) -> None:
    await bench.post(1)
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    (grant,) = await reserve(bench, engine, call(event, input_bound=30_000))
    assert grant["state"] == "refused"
    shown = await bench.event(event["id"])
    assert (shown["state"], shown["failures"], shown["handbacks"]) == ("dead", 0, 1)
    assert "raise the limit" in shown["error"]


async def test_an_unknown_price_is_refused_with_what_to_do(bench: Bench) -> None:
    await bench.post(1)
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    (grant,) = await reserve(bench, engine, call(event, model="openai:never-heard-of"))
    assert grant["state"] == "unpriced"
    assert "PYSCRAI_PRICES" in grant["detail"]
    assert (await bench.row(event["id"]))["state"] == 3, "the engine still holds it, and fails it"


async def test_a_call_whose_usage_nobody_knows_is_charged_at_its_bound(bench: Bench) -> None:
    await bench.post()
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    await reserve(bench, engine, call(event))
    await bench.finish(engine, failed(event), calls=[record(event, usage=None, error="timed out")])
    assert await budget(bench) == ("4", "0", 0)
    assert await bench.finish(engine, calls=[record(event)]) == []
    assert await budget(bench) == ("1", "0", 0), "the usage came after all"


async def test_a_call_that_cost_more_than_its_bound_is_booked(bench: Bench) -> None:
    await bench.post()
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    await reserve(bench, engine, call(event))
    more = {"input_tokens": 5000, "output_tokens": 0}
    await bench.finish(engine, done(event), calls=[record(event, usage=more)])
    assert await budget(bench) == ("5", "0", 0)


class TestWithoutALimit:
    @pytest.fixture
    def settings(self, dsn: str, tmp_path: Path) -> Settings:
        prices = tmp_path / "prices.yaml"
        prices.write_text(f"'{MODEL}': {{input: '1000', output: '1000'}}\n")
        return Settings(database_url=dsn, runs_at_once=None, prices=prices, default_limit=None)

    async def test_a_priced_model_is_refused_and_a_free_one_is_not(self, bench: Bench) -> None:
        await bench.post(2)
        engine = await bench.engine()
        one, two = await bench.claim(engine)
        grants = await reserve(bench, engine, call(one), call(two, model="rehearsal"))
        assert [grant["state"] for grant in grants] == ["limit_required", "granted"]
        assert await bench.finish(engine, done(two), calls=[record(two, model="rehearsal")]) == ["done"]
