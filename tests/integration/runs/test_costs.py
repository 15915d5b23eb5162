"""What a run and an installation have spent, by every part, and that it is always the whole of it."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

from tests.integration.runs import test_replays as replays
from tests.integration.runs.desk import Desk, back, call, crowd, done, money, settled, talks

PRICE = {"input": "1", "output": "2", "cached_input": "0.1", "request": "0.0001"}
PRICED = {"model": "openai:test", "prices": {"openai:*": PRICE}, "limit": "5"}
PARTS = ("seat", "phase", "model", "turn")


async def costs(desk: Desk, run: dict[str, Any], **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = await desk.ok("GET", f"/runs/{run['id']}/costs", **params)
    return found


def summed(lines: list[dict[str, Any]]) -> dict[str, Decimal]:
    return {name: sum((Decimal(str(line[name])) for line in lines), Decimal(0)) for name in lines[0] if name != "key"}


async def spend(desk: Desk, chance: random.Random) -> int:
    """Everything that is ready, with random usage; some calls nobody knows the end of, some were not sent."""
    count = 0
    for lane in ("actor", "narrator", "analyst"):
        events = await desk.claim(lane)
        if not events:
            continue
        await desk.reserve(lane, *events)
        records = [settled(event, **fate(chance)) for event in events]
        await desk.finish(lane, *[done(event) for event in events], calls=records)
        count += len(events)
    return count


def fate(chance: random.Random) -> dict[str, Any]:
    fate = chance.random()
    if fate < 0.15:
        return {"usage": None}
    if fate < 0.25:
        return {"usage": None, "sent": False}
    read = chance.randrange(1, 900)
    return {
        "usage": {
            "input_tokens": read,
            "output_tokens": chance.randrange(0, 90),
            "cached_tokens": chance.randrange(0, read),
        }
    }


async def test_every_breakdown_sums_up_to_what_the_run_has_spent(desk: Desk) -> None:
    chance = random.Random(7)
    seats = {"board": {"model": "openai:board"}}
    run = await desk.start(talks(), **PRICED, seats=seats)
    while await spend(desk, chance):
        found, now = await costs(desk, run), await desk.run(run)
        assert tuple(found["by"]) == PARTS
        assert money(found["spent"]) == money(now["spent"]) == money(found["total"]["cost"])
        assert money(found["total"]["reserved"]) == money(now["reserved"])
        assert found["total"]["calls"] == now["model_calls"]
        for lines in found["by"].values():
            assert summed(lines) == summed([found["total"]])
    assert now["status"] == "completed"
    assert money(now["spent"]) > 0
    assert [line["key"] for line in found["by"]["seat"]] == [*now["seats"], "narrator", "analyst"]
    assert {line["key"] for line in found["by"]["model"]} == {"openai:test", "openai:board"}
    assert [line["key"] for line in found["by"]["turn"]] == [str(n + 1) for n in range(now["turns"])]


async def test_what_is_under_way_and_what_nobody_knows_is_told_apart(desk: Desk) -> None:
    run = await desk.start(crowd(3), **PRICED)
    known, unknown, open_ = await desk.claim("actor")
    await desk.reserve("actor", known, unknown, open_)
    await desk.finish("actor", done(known), back(unknown), calls=[settled(known)])
    line = {line["key"]: line for line in (await costs(desk, run, by="seat"))["by"]["seat"]}
    # 1000 tokens in and 100 out at most, and the request itself.
    bound = Decimal("0.0013")
    assert [line[event["seat"]]["calls"] for event in (known, unknown, open_)] == [1, 1, 0]
    assert (line[unknown["seat"]]["assumed"], money(line[unknown["seat"]]["assumed_cost"])) == (1, bound)
    assert (line[open_["seat"]]["open"], money(line[open_["seat"]]["reserved"])) == (1, bound)
    assert line[known["seat"]]["input_tokens"] == 100
    assert list((await costs(desk, run, by="turn"))["by"]) == ["turn"]
    await desk.refused("GET", f"/runs/{run['id']}/costs?by=mood")


async def test_answers_that_no_provider_gave_are_counted_apart(desk: Desk) -> None:
    recorded, _ = await replays.play(desk, await desk.start(talks(), **PRICED))
    again, sources = await replays.play(desk, await replays.replay(desk, recorded))
    assert again["status"] == "completed"
    total = (await costs(desk, again))["total"]
    assert (total["replayed"], total["calls"], total["input_tokens"], money(total["cost"])) == (len(sources), 0, 0, 0)
    before = (await costs(desk, recorded))["total"]
    assert (before["calls"], before["replayed"]) == (len(sources), 0)
    assert money(before["cost"]) == money(recorded["spent"]) > 0


async def test_an_installation_adds_up_by_every_part(desk: Desk) -> None:
    chance = random.Random(3)
    runs = [
        await desk.start(talks(), **PRICED, group="one"),
        await desk.start(crowd(4), **PRICED, seats={"s000": {"model": "openai:other"}}),
    ]
    await desk.start(crowd(2))  # rehearsal: nothing to see here
    while await spend(desk, chance):
        pass
    await desk.ok("POST", "/events", {"event_type": "decide", "data": {"prompt": "Hello"}})
    (event,) = await desk.claim("actor")
    await desk.ok("POST", "/events/reserve", {"engine_id": (await desk.engine("actor"))["id"], "calls": [call(event)]})
    await desk.finish("actor", done(event, {"content": "Hello", "error": None}), calls=[settled(event)])
    spent = sum([money((await desk.run(run))["spent"]) for run in runs], Decimal(0))
    keys = {}
    for part in ("user", "model", "day", "scenario", "group"):
        found = await desk.ok("GET", "/costs", by=part)
        assert money(found["total"]["cost"]) == spent
        assert summed(found["lines"]) == summed([found["total"]])
        keys[part] = {line["key"] for line in found["lines"]}
    assert keys["user"] == {"local"}
    assert keys["model"] == {"openai:test", "openai:other"}
    assert keys["scenario"] == {runs[0]["scenario"]["name"], "crowd"}
    assert len(keys["day"]) == 1


async def test_the_dearest_come_first_and_the_rest_is_in_the_total(desk: Desk) -> None:
    run = await desk.start(crowd(6), **PRICED, seats={f"s{n:03d}": {"model": f"openai:m{n}"} for n in range(6)})
    events = await desk.claim("actor")
    await desk.reserve("actor", *events)
    usage = [{"input_tokens": 100 * n, "output_tokens": 10} for n in range(1, 7)]
    records = [settled(event, usage=use) for event, use in zip(events, usage, strict=True)]
    await desk.finish("actor", *[done(event) for event in events], calls=records)
    found = await desk.ok("GET", "/costs", by="model", limit=2)
    assert [line["key"] for line in found["lines"]] == ["openai:m5", "openai:m4"]
    assert found["more"] is True
    assert money(found["total"]["cost"]) == money((await desk.run(run))["spent"])
    none = await desk.ok("GET", "/costs", by="model", since="2999-01-01")
    assert none["lines"] == []
    assert money(none["total"]["cost"]) == 0


async def test_somebody_else_sees_only_what_is_theirs(desk: Desk) -> None:
    run = await desk.start(crowd(1), **PRICED)
    (event,) = await desk.claim("actor")
    await desk.reserve("actor", event)
    await desk.finish("actor", done(event), calls=[settled(event)])
    from datetime import date

    from pyscrai_api.money.spending import costs as spent_by

    since = date(2000, 1, 1)
    ours = await spent_by(desk.deps.pool, by="user", since=since, owner="local", limit=10)
    theirs = await spent_by(desk.deps.pool, by="user", since=since, owner="ada", limit=10)
    assert ours.total.cost == money((await desk.run(run))["spent"])
    assert (theirs.total.cost, theirs.lines) == (0, [])


async def test_prices_say_who_says_so(desk: Desk) -> None:
    run = await desk.start(crowd(1), **PRICED)
    asked = {"model": ["claude-3-haiku", "openai:test", "rehearsal", "ollama/llama3"], "run": run["id"]}
    items = (await desk.ok("GET", "/prices", **asked))["items"]
    assert [item["source"] for item in items] == ["published", "run", "free", "unknown"]
    assert items[0]["model"] == "anthropic:claude-3-haiku"
    assert items[0]["version"].startswith("genai-prices ")
    assert items[0]["dated"] in items[0]["price"]["source"]
    assert items[1]["price"]["cached_input"] == "0.1"
    assert "--price" in items[3]["how_to_declare"]
    declared = (await desk.ok("GET", "/prices", run=run["id"]))["items"]
    assert [item["asked"] for item in declared] == ["openai:*"]
    assert (await desk.ok("GET", "/prices"))["items"] == []


async def test_a_call_keeps_the_whole_price_and_where_it_is_from(desk: Desk) -> None:
    await desk.start(crowd(1), **PRICED)
    (event,) = await desk.claim("actor")
    await desk.reserve("actor", event)
    kept = await desk.deps.pool.fetchval("SELECT price FROM calls")
    assert json.loads(kept) == {**PRICE, "source": "run"}
