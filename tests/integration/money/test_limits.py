"""Limits wider than a run's: drawn from in tranches, never exceeded, and runs go on when there is money again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest
from tests.integration.money import clock
from tests.integration.runs.desk import Desk, back, crowd, done, failed, money, settled

MODEL = "openai:test"
BOUND = Decimal("0.0012")  # 1000 tokens in at 1 USD and 100 out at 2 USD per million
PAID = Decimal("0.0002")  # 100 in, 50 out
ALL = {"input_tokens": 1000, "output_tokens": 100}


async def start(desk: Desk, seats: int = 2, **choices: Any) -> dict[str, Any]:
    return await desk.start(crowd(seats), **{"model": MODEL, "limit": "1", **choices})


async def limits(desk: Desk, **params: Any) -> dict[str, dict[str, Any]]:
    """By scope, groups by `group/name`."""
    found = await desk.ok("GET", "/limits", **params)
    return {"/".join(filter(None, (item["scope"], item["name"]))): item for item in found}


async def set_limit(desk: Desk, scope: str, limit: Decimal | str | int) -> None:
    await desk.ok("PUT", f"/limits/{scope}", {"limit": f"{limit}"})


async def claim_all(desk: Desk, run: dict[str, Any], seats: int) -> list[dict[str, Any]]:
    events = [event for event in await desk.claim("actor", seats) if event["run_id"] == run["id"]]
    assert len(events) == seats
    return events


@pytest.mark.parametrize("scope", ["group/sweep", "day", "week", "installation"])
async def test_two_runs_never_take_more_than_a_wider_limit(desk: Desk, scope: str) -> None:
    await set_limit(desk, scope, 3 * BOUND)
    one, two = [await start(desk, 5, group="sweep") for _ in range(2)]
    events = await desk.claim("actor", 10)
    grants = await desk.reserve("actor", *events)
    assert [grant["state"] for grant in grants].count("granted") == 3
    stands = (await limits(desk))[scope]
    assert (money(stands["taken"]), money(stands["free"])) == (3 * BOUND, 0)
    assert money(stands["reserved"]) + money(stands["drawn"]) == 3 * BOUND
    granted = [event for event, grant in zip(events, grants, strict=True) if grant["state"] == "granted"]
    for event in granted:
        await desk.finish("actor", done(event), calls=[settled(event, usage=ALL)])
    reasons = [(await desk.run(run))["reason"] for run in (one, two)]
    assert [reason["code"] for reason in reasons] == ["out_of_money"] * 2
    name = "sweep" if scope.startswith("group") else None
    told = {(r["scope"], r["name"], money(r["free"]), money(r["needed"])) for r in reasons}
    assert told == {(scope.split("/")[0], name, Decimal(0), 4 * BOUND)}
    await set_limit(desk, scope, 1)
    assert [(await desk.play(run))["status"] for run in (one, two)] == ["completed"] * 2


async def test_a_run_takes_a_tranche_and_gives_back_what_it_did_not_use(desk: Desk) -> None:
    await set_limit(desk, "day", 1)
    run = await start(desk)
    one, two = await desk.claim("actor")
    await desk.reserve("actor", one)
    day = (await limits(desk))["day"]
    assert (money(day["taken"]), money(day["reserved"])) == (16 * BOUND, BOUND)
    await desk.reserve("actor", two)
    assert money((await limits(desk))["day"]["taken"]) == 16 * BOUND, "the second call touched its run only"
    await desk.finish("actor", done(one), done(two), calls=[settled(one), settled(two)])
    assert (await desk.run(run))["status"] == "completed"
    after = await limits(desk)
    assert {scope: money(after[scope]["taken"]) for scope in ("day", "week", "installation")} == dict.fromkeys(
        ("day", "week", "installation"), 2 * PAID
    )
    assert money(after["day"]["drawn"]) == 0


@pytest.mark.parametrize("how", ["pause", "cancel"])
async def test_who_does_not_run_keeps_nothing_from_others(desk: Desk, how: str) -> None:
    await set_limit(desk, "day", 1)
    run = await start(desk)
    (one, _) = await desk.claim("actor")
    await desk.reserve("actor", one)
    await desk.ok("POST", f"/runs/{run['id']}/{how}")
    day = (await limits(desk))["day"]
    assert (money(day["taken"]), money(day["drawn"])) == (BOUND, 0)
    await desk.finish("actor", calls=[settled(one)])
    assert money((await limits(desk))["day"]["taken"]) == PAID, "known later: it had cost less"


async def test_what_one_run_gives_back_another_goes_on_with(desk: Desk) -> None:
    first = await start(desk, 1)
    await set_limit(desk, "day", BOUND + BOUND / 2)
    (one,) = await desk.claim("actor")
    assert (await desk.reserve("actor", one))[0]["state"] == "granted"
    second = await start(desk, 1)
    (two,) = await desk.claim("actor")
    assert (await desk.reserve("actor", two))[0]["state"] == "refused"
    assert (await desk.run(second))["status"] == "paused"
    assert await desk.deps.runs.going.run_once() == 0
    await desk.finish("actor", done(one), calls=[settled(one)])
    assert (await desk.run(first))["status"] == "completed"
    assert await desk.deps.runs.going.run_once() == 1
    assert (await desk.run(second))["status"] == "running"
    (again,) = await desk.claim("actor")
    assert again["id"] == two["id"]
    assert (await desk.reserve("actor", again))[0]["state"] == "granted"
    await desk.finish("actor", done(again), calls=[settled(again)])


async def test_a_new_day_lets_runs_go_on(desk: Desk) -> None:
    await set_limit(desk, "day", BOUND)
    run = await start(desk)
    one, two = await desk.claim("actor")
    await desk.reserve("actor", one, two)
    await desk.finish("actor", done(one), calls=[settled(one, usage=ALL)])
    reason = (await desk.run(run))["reason"]
    assert reason["scope"] == "day"
    assert "starts anew" in reason["message"]
    assert await desk.deps.runs.going.run_once() == 0
    await clock.advance(desk.deps.pool)
    assert await desk.deps.runs.going.run_once() == 1
    (again,) = await desk.claim("actor")
    assert (await desk.reserve("actor", again))[0]["state"] == "granted"
    await desk.finish("actor", done(again), calls=[settled(again)])
    day = (await limits(desk))["day"]
    assert money(day["taken"]) == PAID
    assert (await desk.run(run))["status"] == "completed"


async def test_a_call_that_was_cheaper_after_all_lets_its_own_run_go_on(desk: Desk) -> None:
    run = await start(desk, limit=f"{BOUND + PAID}")
    one, two = await desk.claim("actor")
    await desk.reserve("actor", one, two)
    await desk.finish("actor", failed(one, permanent=False), calls=[settled(one, usage=None)])
    assert (await desk.run(run))["reason"]["code"] == "out_of_money"
    assert await desk.deps.runs.going.run_once() == 0
    await desk.finish("actor", calls=[settled(one)])
    assert await desk.deps.runs.going.run_once() == 1
    (again,) = await desk.claim("actor")
    assert again["id"] == two["id"]
    assert (await desk.reserve("actor", again))[0]["state"] == "granted"
    await desk.finish("actor", back(again), calls=[settled(again, sent=False, usage=None)])


async def test_a_persons_pause_is_not_undone_by_money(desk: Desk) -> None:
    await set_limit(desk, "day", 0)
    run = await start(desk, 1)
    (one,) = await desk.claim("actor")
    await desk.reserve("actor", one)
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    await set_limit(desk, "day", 1)
    assert await desk.deps.runs.going.run_once() == 0
    assert (await desk.run(run))["reason"]["code"] == "by_user"


async def test_a_dead_letter_keeps_a_run_from_going_on_by_itself(desk: Desk) -> None:
    await set_limit(desk, "day", BOUND)
    run = await start(desk)
    one, two = await desk.claim("actor")
    await desk.reserve("actor", one, two)
    await desk.finish("actor", failed(one, permanent=True), calls=[settled(one, usage=ALL)])
    assert (await desk.run(run))["status"] == "blocked"
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert (await desk.run(run))["status"] in ("paused", "running")
    await desk.ok("POST", f"/runs/{run['id']}/cancel")


async def test_late_words_correct_the_day_on_which_the_money_was_taken(desk: Desk) -> None:
    run = await start(desk)
    one, two = await desk.claim("actor")
    await desk.reserve("actor", one, two)
    await desk.ok("POST", f"/runs/{run['id']}/cancel")
    await clock.advance(desk.deps.pool, 8)
    other = await start(desk, 1)
    (three,) = await desk.claim("actor")
    await desk.reserve("actor", three)
    await desk.finish("actor", calls=[settled(one), settled(two, usage=ALL)])
    rows = await desk.deps.pool.fetch("SELECT scope, taken FROM purses ORDER BY period, scope")
    taken = [(row["scope"], row["taken"]) for row in rows]
    assert ("day", PAID + BOUND) in taken
    assert ("week", PAID + BOUND) in taken
    await desk.finish("actor", done(three), calls=[settled(three)])
    assert money((await limits(desk))["installation"]["taken"]) == 2 * PAID + BOUND
    assert (await desk.run(other))["status"] == "completed"


async def test_a_tranche_of_yesterday_goes_back_to_yesterday(desk: Desk) -> None:
    await set_limit(desk, "week", 1)
    run = await start(desk)
    one, two = await desk.claim("actor")
    await desk.reserve("actor", one)
    await clock.advance(desk.deps.pool, 7)
    await desk.reserve("actor", two)
    await desk.finish("actor", done(one), calls=[settled(one)])
    rows = await desk.deps.pool.fetch("SELECT taken FROM purses WHERE scope = 'week' ORDER BY period")
    assert [row["taken"] for row in rows] == [PAID, 16 * BOUND]
    await desk.finish("actor", done(two), calls=[settled(two)])
    assert (await desk.run(run))["status"] == "completed"


async def test_what_costs_more_than_its_bound_is_taken_by_force(desk: Desk) -> None:
    await set_limit(desk, "day", BOUND)
    await start(desk, 1)
    (one,) = await desk.claim("actor")
    await desk.reserve("actor", one)
    await desk.finish("actor", done(one), calls=[settled(one, usage={"input_tokens": 50_000, "output_tokens": 0})])
    day = (await limits(desk))["day"]
    assert (money(day["taken"]), money(day["free"])) == (Decimal("0.05"), 0)


async def test_the_whole_price_is_settled(desk: Desk) -> None:
    run = await start(desk, 1, model="openai:whole")
    (one,) = await desk.claim("actor")
    await desk.reserve("actor", one)
    used = {
        "input_tokens": 400, "output_tokens": 50,
        "cached_tokens": 100, "cache_write_tokens": 200, "reasoning_tokens": 20,
    }  # fmt: skip
    await desk.finish("actor", done(one), calls=[settled(one, usage=used)])
    millionths = 100 * 10 + 100 * 1 + 200 * Decimal("12.5") + 30 * 20 + 20 * 40
    assert money((await desk.run(run))["spent"]) == millionths / 1_000_000 + Decimal("0.001")


async def test_free_models_touch_no_purse(desk: Desk) -> None:
    await set_limit(desk, "day", 0)
    run = await start(desk, model="rehearsal")
    one, two = await desk.claim("actor")
    assert {grant["state"] for grant in await desk.reserve("actor", one, two)} == {"granted"}
    await desk.finish("actor", done(one), done(two), calls=[settled(one), settled(two)])
    assert (await desk.run(run))["status"] == "completed"
    assert await desk.deps.pool.fetchval("SELECT sum(taken) FROM purses") == 0


async def test_events_without_a_run_draw_from_the_same_purses(desk: Desk) -> None:
    await set_limit(desk, "day", BOUND)
    await desk.ok("POST", "/events", {"event_type": "prompt", "engine_type": "actor", "data": {"prompt": "hi"}})
    (one,) = await desk.claim("actor")
    (refused,) = await desk.reserve("actor", one, model=MODEL, input_bound=2000)
    assert refused["state"] == "refused"
    assert "for this day" in refused["detail"]
    await set_limit(desk, "day", 1)
    await desk.ok("POST", "/events/dead/redrive", {"code": "out_of_money"})
    (again,) = await desk.claim("actor")
    assert (await desk.reserve("actor", again, model=MODEL))[0]["state"] == "granted"
    await desk.finish("actor", done(again, {"text": "x"}), calls=[settled(again)])
    found = await limits(desk)
    assert (money(found["day"]["taken"]), money(found["events"]["taken"])) == (PAID, PAID)


async def test_the_budget_of_events_without_a_run_can_be_raised(desk: Desk) -> None:
    """What died for want of it is redriven then, and paid for."""
    assert money((await limits(desk))["events"]["limit"]) == 1
    await set_limit(desk, "events", BOUND)
    await desk.ok("POST", "/events", {"event_type": "prompt", "engine_type": "actor", "data": {"prompt": "hi"}})
    (one,) = await desk.claim("actor")
    assert (await desk.reserve("actor", one, model=MODEL, input_bound=2000))[0]["state"] == "refused"
    await set_limit(desk, "events", 5)
    found = await desk.ok("POST", "/events/dead/redrive", {"code": "out_of_money", "lane": "actor"})
    assert found["redriven"] == [one["id"]]
    (again,) = await desk.claim("actor")
    assert (await desk.reserve("actor", again, model=MODEL, input_bound=2000))[0]["state"] == "granted"
    await desk.finish("actor", done(again, {"text": "x"}), calls=[settled(again)])
    assert money((await limits(desk))["events"]["limit"]) == 5
    assert (await desk.refused("PUT", "/limits/events", {"limit": "none"}))["status"] == 400


async def test_most_of_a_limit_used_is_said_once(desk: Desk) -> None:
    await set_limit(desk, "day", 5 * BOUND)
    run = await start(desk, 5, limit=f"{10 * BOUND}")
    events = await desk.claim("actor")
    await desk.reserve("actor", *events[:4])
    await desk.finish("actor", *(done(e) for e in events[:4]), calls=[settled(e, usage=ALL) for e in events[:4]])
    await desk.reserve("actor", events[4])
    await desk.ok("PATCH", f"/runs/{run['id']}", {"limit": f"{6 * BOUND}"})
    await desk.finish("actor", done(events[4]), calls=[settled(events[4], usage=ALL)])
    warnings = [e["body"] for e in await desk.log(run) if e["kind"] == "credit_limit_warning"]
    assert [(w["scope"], w["share"], Decimal(w["limit"])) for w in warnings] == [
        ("day", "0.80", 5 * BOUND),
        ("run", "0.83", 6 * BOUND),
    ]


class TestWhoMaySet:
    async def other(self, desk: Desk) -> Desk:
        added = await desk.ok("POST", "/users", {"name": "ada"})
        transport = desk.http._transport
        headers = {"Authorization": f"Bearer {added['token']}"}
        http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers)
        return Desk(http=http, deps=desk.deps)

    async def test_a_person_stays_below_what_was_set_for_them(self, desk: Desk) -> None:
        ada = await self.other(desk)
        await desk.ok("PUT", "/limits/day", {"limit": "5"}, user="ada")
        assert (await ada.refused("PUT", "/limits/day", {"limit": "6"}))["status"] == 403
        for scope in ("installation", "day?user=local"):
            assert (await ada.refused("PUT", f"/limits/{scope}", {"limit": "9"}))["status"] == 403
        await set_limit(ada, "day", 2)
        day = (await limits(ada))["day"]
        assert (money(day["limit"]), money(day["own"])) == (2, 2)
        await set_limit(ada, "day", 4)
        assert money((await limits(ada))["day"]["limit"]) == 4, "up again, as far as was set for them"
        await desk.ok("PUT", "/limits/day", {"limit": "3"}, user="ada")
        assert money((await limits(desk, user="ada"))["day"]["limit"]) == 3
        await ada.http.aclose()

    async def test_groups_are_their_owners(self, desk: Desk) -> None:
        ada = await self.other(desk)
        await set_limit(ada, "group/mine", 2)
        assert "group/mine" in await limits(ada)
        assert "group/mine" not in await limits(desk)
        assert (await ada.refused("GET", "/limits?user=local"))["status"] == 403
        await ada.http.aclose()

    @pytest.mark.parametrize(("path", "limit"), [("month", "1"), ("day", "-1"), ("day", "much"), ("group/a b", "1")])
    async def test_what_makes_no_sense_is_refused(self, desk: Desk, path: str, limit: str) -> None:
        assert (await desk.refused("PUT", f"/limits/{path}", {"limit": limit}))["status"] in (400, 404, 422)
