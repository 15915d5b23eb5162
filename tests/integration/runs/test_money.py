"""The run's limit: reserved before, settled after, never exceeded."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.integration.runs.desk import Desk, back, call, crowd, done, failed, money, reply, settled

PRICED = {"model": "openai:test", "prices": {"openai:test": {"input": "1", "output": "2"}}}
BOUND = Decimal("0.0012")  # 1000 tokens in at 1 USD and 100 out at 2 USD per million


async def priced(desk: Desk, limit: str, seats: int = 50, **more: Any) -> dict[str, Any]:
    return await desk.start(crowd(seats), **PRICED, limit=limit, **more)


async def test_reserve_and_settle(desk: Desk) -> None:
    run = await priced(desk, "1", seats=2)
    one, _ = await desk.claim("actor")
    (grant,) = await desk.reserve("actor", one)
    assert (grant["state"], money(grant["reserved"])) == ("granted", BOUND)
    assert money((await desk.run(run))["reserved"]) == BOUND
    assert await desk.finish("actor", done(one), calls=[settled(one)]) == ["done"]
    after = await desk.run(run)
    assert (money(after["spent"]), money(after["reserved"]), after["model_calls"]) == (Decimal("0.0002"), 0, 1)


async def test_a_repeated_reservation_takes_nothing(desk: Desk) -> None:
    run = await priced(desk, "1", seats=2)
    one, _ = await desk.claim("actor")
    assert [g["state"] for g in await desk.reserve("actor", one) + await desk.reserve("actor", one)] == ["granted"] * 2
    assert money((await desk.run(run))["reserved"]) == BOUND


async def test_a_settlement_counts_once_however_often_it_comes(desk: Desk) -> None:
    run = await priced(desk, "1", seats=2)
    one, _ = await desk.claim("actor")
    await desk.reserve("actor", one)
    await desk.finish("actor", done(one), calls=[settled(one)])
    await desk.finish("actor", done(one), calls=[settled(one)])
    assert money((await desk.run(run))["spent"]) == Decimal("0.0002")


async def test_fifty_seats_and_money_for_five(desk: Desk) -> None:
    run = await priced(desk, str(5 * BOUND))
    events = await desk.claim("actor")
    assert len(events) == 50
    grants = await desk.reserve("actor", *events)
    assert [g["state"] for g in grants].count("granted") == 5
    assert [g["state"] for g in grants].count("refused") == 45
    granted = [event for event, grant in zip(events, grants, strict=True) if grant["state"] == "granted"]
    used = {"input_tokens": 1000, "output_tokens": 100}
    for event in granted:
        assert (await desk.run(run))["status"] == "running"
        await desk.finish("actor", done(event), calls=[settled(event, usage=used)])
    paused = await desk.run(run)
    assert (paused["status"], paused["reason"]["code"]) == ("paused", "out_of_money")
    assert (money(paused["spent"]), money(paused["reserved"]), paused["open"]) == (5 * BOUND, 0, 45)
    assert money(paused["reason"]["needed"]) == 6 * BOUND
    async with desk.deps.pool.acquire() as conn:
        sums = "SELECT sum(handbacks) AS back, sum(failures) AS failed, sum(losses) AS lost FROM queue"
        assert dict(await conn.fetchrow(sums)) == {"back": 45, "failed": 0, "lost": 0}
    await desk.ok("PATCH", f"/runs/{run['id']}", {"limit": "1"})
    assert (await desk.play(run))["status"] == "completed"
    assert "limit_changed" in [entry["kind"] for entry in await desk.log(run)]


async def test_a_settlement_below_the_bound_lets_the_next_go_on(desk: Desk) -> None:
    run = await priced(desk, str(BOUND + Decimal("0.0011")), seats=2)
    one, two = await desk.claim("actor")
    assert [g["state"] for g in await desk.reserve("actor", one, two)] == ["granted", "refused"]
    assert await desk.claim("actor") == []
    await desk.finish("actor", done(one), calls=[settled(one)])
    (again,) = await desk.claim("actor")
    assert again["id"] == two["id"]
    assert (await desk.reserve("actor", again))[0]["state"] == "granted"
    assert (await desk.run(run))["status"] == "running"
    await desk.finish("actor", done(again), calls=[settled(again)])


async def test_resuming_without_money_pauses_again_at_once(desk: Desk) -> None:
    run = await priced(desk, "0.0001", seats=2)
    events = await desk.claim("actor")
    assert {g["state"] for g in await desk.reserve("actor", *events)} == {"refused"}
    resumed = await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert (resumed["status"], resumed["reason"]["code"]) == ("paused", "out_of_money")
    raised = await desk.ok("POST", f"/runs/{run['id']}/resume", {"limit": "1"})
    assert (raised["status"], money(raised["limit"])) == ("running", 1)
    assert len(await desk.claim("actor")) == 2


async def test_a_lost_lease_is_charged_at_its_bound_until_the_usage_comes(desk: Desk) -> None:
    run = await priced(desk, "1", seats=2)
    one, _ = await desk.claim("actor")
    await desk.reserve("actor", one)
    async with desk.deps.pool.acquire() as conn:
        await conn.execute("UPDATE queue SET lease_until = now() - interval '1 s' WHERE id = $1", one["id"])
        run_id = await conn.fetchval("SELECT id FROM runs")
    assert await desk.deps.run_finisher.sweep_run(run_id, [one["id"]]) == 1
    assumed = await desk.run(run)
    assert (money(assumed["spent"]), money(assumed["reserved"])) == (BOUND, 0)
    other = await desk.register("actor")
    (again,) = await desk.claim("actor", engine=other)
    assert again["id"] == one["id"]
    assert await desk.finish("actor", done(one), calls=[settled(one)]) == ["stale"]
    assert money((await desk.run(run))["spent"]) == Decimal("0.0002")


async def test_a_swept_lease_may_still_finish_until_somebody_claims(desk: Desk) -> None:
    run = await priced(desk, "1", seats=2)
    one, _ = await desk.claim("actor")
    async with desk.deps.pool.acquire() as conn:
        await conn.execute("UPDATE queue SET lease_until = now() - interval '1 s' WHERE id = $1", one["id"])
        run_id = await conn.fetchval("SELECT id FROM runs")
    assert await desk.deps.run_finisher.sweep_run(run_id, [one["id"]]) == 1
    assert await desk.finish("actor", done(one)) == ["done"]
    assert (await desk.run(run))["open"] == 1


async def test_an_unknown_usage_is_charged_at_the_bound(desk: Desk) -> None:
    run = await priced(desk, "1", seats=2)
    one, two = await desk.claim("actor")
    await desk.reserve("actor", one, two)
    await desk.finish("actor", failed(one), calls=[settled(one, usage=None, error="timed out")])
    await desk.finish("actor", back(two), calls=[settled(two, sent=False, usage=None)])
    after = await desk.run(run)
    assert (money(after["spent"]), money(after["reserved"])) == (BOUND, 0)


async def test_a_call_that_is_never_mentioned_is_charged_when_its_lease_ends(desk: Desk) -> None:
    run = await priced(desk, "1", seats=2)
    one, two = await desk.claim("actor")
    await desk.reserve("actor", one, two)
    await desk.finish("actor", back(one))
    await desk.ok("POST", f"/runs/{run['id']}/cancel")
    after = await desk.run(run)
    assert (money(after["spent"]), money(after["reserved"])) == (2 * BOUND, 0)
    await desk.finish("actor", calls=[settled(two)])
    assert money((await desk.run(run))["spent"]) == BOUND + Decimal("0.0002")


async def test_usage_above_the_bound_is_booked_and_pauses(desk: Desk) -> None:
    run = await priced(desk, "1", seats=2)
    one, _ = await desk.claim("actor")
    await desk.reserve("actor", one)
    much = {"input_tokens": 50_000, "output_tokens": 50}
    await desk.finish("actor", done(one), calls=[settled(one, usage=much)])
    after = await desk.run(run)
    assert (after["status"], after["reason"]["code"]) == ("paused", "bound_exceeded")
    assert money(after["spent"]) == Decimal("0.0501")


@pytest.mark.parametrize("stop", ["pause", "cancel"])
async def test_no_money_for_a_run_that_does_not_run(desk: Desk, stop: str) -> None:
    run = await priced(desk, "1", seats=2)
    one, _ = await desk.claim("actor")
    await desk.ok("POST", f"/runs/{run['id']}/{stop}")
    (grant,) = await desk.reserve("actor", one)
    assert grant["state"] == {"pause": "not_running", "cancel": "stale"}[stop]
    assert money((await desk.run(run))["reserved"]) == 0


async def test_what_a_reservation_refuses(desk: Desk) -> None:
    await priced(desk, "1", seats=2)
    one, _ = await desk.claim("actor")
    stale = {**one, "lease_no": one["lease_no"] + 1}
    assert (await desk.reserve("actor", stale))[0]["state"] == "stale"
    assert (await desk.reserve("actor", {**one, "id": 10**12}))[0]["state"] == "stale"
    (unpriced,) = await desk.reserve("actor", one, model="openai:nobody-knows")
    assert unpriced["state"] == "unpriced"
    assert "--price" in unpriced["detail"]


async def test_without_a_limit_only_free_models_answer(desk: Desk) -> None:
    run = await desk.start(crowd(1), limit="none")
    assert run["limit"] is None
    (one,) = await desk.claim("actor")
    assert (await desk.reserve("actor", one, model="gpt-4o-mini"))[0]["state"] == "limit_required"
    assert (await desk.reserve("actor", one))[0]["state"] == "granted"


async def test_the_limit_cannot_fall_below_what_is_spent(desk: Desk) -> None:
    run = await priced(desk, "1", seats=2)
    one, _ = await desk.claim("actor")
    await desk.reserve("actor", one)
    assert (await desk.refused("PATCH", f"/runs/{run['id']}", {"limit": "0.0001"}))["status"] == 400
    assert (await desk.refused("PATCH", f"/runs/{run['id']}", {"limit": "none"}))["status"] == 400


async def test_calls_are_recorded_by_position_and_texts_once(desk: Desk) -> None:
    await priced(desk, "1", seats=2)
    events = await desk.claim("actor")
    await desk.reserve("actor", *events)
    await desk.finish("actor", *[done(e) for e in events], calls=[settled(e) for e in events])
    async with desk.deps.pool.acquire() as conn:
        rows = await conn.fetch("SELECT step, ordinal, try_no, call, answer, request FROM calls ORDER BY ordinal")
        assert [(r["step"], r["ordinal"], r["try_no"], r["call"]) for r in rows] == [(1, 0, 1, 1), (1, 1, 1, 1)]
        assert rows[0]["request"] == rows[1]["request"]
        assert await conn.fetchval("SELECT count(*) FROM request_texts") == 1


async def test_calls_are_read_by_place_in_pages_with_their_texts(desk: Desk) -> None:
    run = await priced(desk, "1", seats=3)
    first, second, third = await desk.claim("actor")
    await desk.reserve("actor", first, second, third)
    asked = [{"role": "system", "text": "Be brief."}, {"role": "user", "text": "What now?"}]
    await desk.finish(
        "actor", done(second), done(first), calls=[settled(second, request=asked), settled(first, request=asked)]
    )
    await desk.finish("actor", calls=[settled(third, sent=False, usage=None, request=[], answer=None, error="no key")])
    path = f"/runs/{run['id']}/calls"
    page = await desk.ok("GET", path)
    assert [(c["ordinal"], c["state"], c["seat"], c["try"]) for c in page["items"]] == [
        (0, "settled", "s000", 1),
        (1, "settled", "s001", 1),
        (2, "released", "s002", 1),
    ]
    one, _, last = page["items"]
    assert (one["request"], one["event_type"], one["model"]) == (asked, "decide", "openai:test")
    assert (money(one["cost"]), one["usage"]["output_tokens"]) == (Decimal("0.0002"), 50)
    assert json.loads(one["answer"]) == {"said": first["id"]}
    assert (last["request"], last["answer"], last["error"], money(last["cost"])) == ([], None, "no key", 0)
    assert page["next"] is None
    singly = [await desk.ok("GET", path, limit=1)]
    while singly[-1]["next"]:
        singly.append(await desk.ok("GET", path, limit=1, after=singly[-1]["next"]))
    assert [call for part in singly for call in part["items"]] == page["items"]
    for wrong in ("1.2", "x", "1.2.3.-4", "1.2.3.99999999999"):
        assert (await desk.refused("GET", f"{path}?after={wrong}"))["code"] == "invalid"


async def test_calls_are_for_the_owner_alone(desk: Desk) -> None:
    run = await priced(desk, "1", seats=1)
    path = f"/runs/{run['id']}/calls"
    await desk.deps.pool.execute("UPDATE runs SET owner = 'else', visibility = 'shared'")
    assert (await desk.refused("GET", path))["code"] == "forbidden"
    assert (await desk.run(run))["owner"] == "else"
    await desk.deps.pool.execute("UPDATE runs SET visibility = 'private'")
    assert (await desk.refused("GET", path))["code"] == "not_found"


async def test_the_money_is_delivered_beside_the_story_never_in_it(desk: Desk) -> None:
    run = await priced(desk, "1", seats=1)
    (one,) = await desk.claim("actor")
    await desk.reserve("actor", one)
    await desk.finish("actor", done(one), calls=[settled(one)])
    log = await desk.log(run)
    assert money(log[-1]["cost"]) == Decimal("0.0002")
    assert money(log[-1]["remaining"]) == Decimal("0.9998")
    assert not any("cost" in entry["body"] for entry in log)


async def test_without_a_word_about_it_a_run_has_the_default_limit(desk: Desk) -> None:
    run = await desk.start(crowd(1))
    assert money(run["limit"]) == 1
    assert reply(await _only(desk))["action"]


async def _only(desk: Desk) -> dict[str, Any]:
    (event,) = await desk.claim("actor")
    assert call(event)["call"] == 1
    return event
