"""Finishes of many requests in one statement: each is done once, whatever becomes of the statement, and told truly."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from tests.integration.queue.bench import Bench, done, until

from pyscrai.contract.events import FinishAnswer, Finished
from pyscrai_api.queue.combining import MOST, Combiner, Success
from pyscrai_api.queue.finishing import all_done

_WRITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
  AND query ~ 'width_bucket|INSERT INTO outcomes'
"""
_KILL = f"SELECT pg_terminate_backend(pid) FROM ({_WRITING}) AS writing"


def lines(event: dict[str, Any]) -> Success:
    return Success(event["id"], event["lease_no"], '{"n":1}')


async def held(bench: Bench, *counts: int) -> list[tuple[str, list[dict[str, Any]]]]:
    """Engines, each with so many events under lease."""
    await bench.post(sum(counts))
    engines = [await bench.engine() for _ in counts]
    return [(engine, await bench.claim(engine, count)) for engine, count in zip(engines, counts, strict=True)]


async def insist(bench: Bench, engine: str, events: list[dict[str, Any]]) -> list[str]:
    """As an engine does: until there is an answer."""
    body = {"engine_id": engine, "events": [done(event) for event in events]}
    while True:
        answer = await bench.http.put("/api/v1/events/status", json=body)
        if answer.status_code == 200:
            return [item["state"] for item in answer.json()["results"]]
        assert answer.status_code == 503, answer.text


async def outcomes(bench: Bench) -> dict[int, str]:
    """Event → the engine whose result counts."""
    rows = await bench.deps.pool.fetch("SELECT event_id, engine_id FROM outcomes")
    return {row["event_id"]: str(row["engine_id"]) for row in rows}


async def test_requests_of_one_moment_are_one_statement(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = await held(bench, 3, 3, 3)
    honest, sizes = Combiner._done, []

    async def counted(self: Combiner, batch: Any) -> frozenset[int]:
        sizes.append(len(batch.lines))
        return await honest(self, batch)

    monkeypatch.setattr(Combiner, "_done", counted)
    answers = await asyncio.gather(*[insist(bench, engine, events) for engine, events in engines])
    assert list(answers) == [["done"] * 3] * 3
    assert sum(sizes) == 9
    assert len(sizes) < 3, "the second and third request at the latest come together"


async def test_one_bad_item_harms_nobody(bench: Bench) -> None:
    (one, mine), (two, others) = await held(bench, 4, 3)
    stolen, number = done(others[0]), {**done(mine[1]), "lease_no": 9}
    unnumbered = {**done(mine[3]), "lease_no": None}
    found = await asyncio.gather(
        bench.finish(one, done(mine[0]), stolen, number, {**done(mine[0]), "event_id": 10**9}, unnumbered),
        bench.finish(two, *[done(event) for event in others]),
    )
    assert list(found) == [["done", "stale", "stale", "unknown", "done"], ["done"] * 3]
    assert await bench.finish(one, done(mine[2])) == ["done"]
    assert await bench.finish(one, done(mine[1]), done(mine[2])) == ["done", "done"]
    expected = {event["id"]: one for event in mine} | {event["id"]: two for event in others}
    assert await outcomes(bench) == expected


async def test_a_statement_that_fails_is_done_by_each_request_itself(bench: Bench) -> None:
    """Its connection is cut while it writes."""
    engines = await held(bench, 5, 5, 5)
    holder = await asyncpg.connect(bench.deps.settings.database_url)
    holding = holder.transaction()
    await holding.start()
    await holder.execute("LOCK TABLE outcomes IN SHARE MODE")
    finishes = [asyncio.create_task(insist(bench, engine, events)) for engine, events in engines]
    await until(lambda: bench.deps.pool.fetchval(_WRITING))
    assert await bench.deps.pool.fetchval(_KILL)
    await holding.rollback()
    await holder.close()
    assert list(await asyncio.gather(*finishes)) == [["done"] * 5] * 3
    assert await outcomes(bench) == {event["id"]: engine for engine, events in engines for event in events}


async def test_a_statement_whose_answer_is_lost_is_not_done_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((engine, events),) = await held(bench, 3)
    honest = Combiner._done

    async def cut(self: Combiner, batch: Any) -> frozenset[int]:
        await honest(self, batch)
        raise ConnectionResetError("after the commit")

    monkeypatch.setattr(Combiner, "_done", cut)
    assert await bench.finish(engine, *[done(event) for event in events]) == ["done"] * 3
    assert len(await outcomes(bench)) == 3
    assert await bench.deps.pool.fetchval("SELECT sum(claims) FROM outcomes") == 3


async def test_who_goes_away_leaves_the_work_to_be_done_and_the_others_their_answer(bench: Bench) -> None:
    (one, mine), (two, others) = await held(bench, 1, 1)
    loose = bench.deps.queue.loose
    holder = await asyncpg.connect(bench.deps.settings.database_url)
    holding = holder.transaction()
    await holding.start()
    await holder.execute("LOCK TABLE outcomes IN SHARE MODE")
    gone = asyncio.create_task(loose.combiner.finish(UUID(one), [lines(mine[0])]))
    stays = asyncio.create_task(loose.combiner.finish(UUID(two), [lines(others[0])]))
    await until(lambda: bench.deps.pool.fetchval(_WRITING))
    gone.cancel()
    await asyncio.wait([gone])
    await holding.rollback()
    await holder.close()
    assert await stays == {others[0]["id"]}
    assert gone.cancelled()
    assert await outcomes(bench) == {mine[0]["id"]: one, others[0]["id"]: two}


async def test_a_statement_that_is_stuck_does_not_keep_the_next_one_back(bench: Bench) -> None:
    ((engine, events),) = await held(bench, 2)
    combiner = bench.deps.queue.loose.combiner
    holder = await asyncpg.connect(bench.deps.settings.database_url)
    holding = holder.transaction()
    await holding.start()
    await holder.execute(  # whoever inserts the same key waits for how this ends
        "INSERT INTO outcomes (event_id, state, lease_no, claims, failures, losses, handbacks, closing) "
        "VALUES ($1, 2, 1, 1, 0, 0, 0, 1)", events[0]["id"],
    )  # fmt: skip
    stuck = asyncio.create_task(combiner.finish(UUID(engine), [lines(events[0])]))
    await until(lambda: bench.deps.pool.fetchval(_WRITING))
    assert await combiner.finish(UUID(engine), [lines(events[1])]) == {events[1]["id"]}
    assert not stuck.done()
    await holding.rollback()
    await holder.close()
    assert await stuck == {events[0]["id"]}


async def test_more_than_a_statement_takes_is_several(bench: Bench) -> None:
    await bench.post(MOST + 120)
    engine = await bench.engine()
    events = [event for _ in range(2) for event in await bench.claim(engine, 500)]
    combiner = bench.deps.queue.loose.combiner
    assert await combiner.finish(UUID(engine), [lines(event) for event in events]) == {e["id"] for e in events}
    await bench.post(3)
    large = [Success(event["id"], 1, f'"{"x" * 3_000_000}"') for event in await bench.claim(engine, 3)]
    assert await combiner.finish(UUID(engine), large) == {item.event_id for item in large}


async def test_many_engines_under_fire_end_each_event_once(bench: Bench) -> None:
    """Everybody finishes his own events, and also claims to have done those of others, while connections are cut."""
    engines = await held(bench, *[12] * 6)
    chance = random.Random(6)
    kills = 0

    async def finish_all(engine: str, events: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
        shuffled = chance.sample(events, len(events))
        for part in (shuffled[:5], shuffled[3:9], shuffled[5:], shuffled):
            mixed = [*part, *chance.sample(other, 2)]
            states = await insist(bench, engine, mixed)
            assert states == ["done"] * len(part) + ["stale"] * 2

    async def cut(killer: asyncpg.Connection) -> None:
        nonlocal kills
        while True:
            kills += len(await killer.fetch(_KILL))
            await asyncio.sleep(0)

    killer = await asyncpg.connect(bench.deps.settings.database_url)
    cutting = asyncio.create_task(cut(killer))
    await asyncio.gather(*[
        finish_all(engine, events, engines[place - 1][1]) for place, (engine, events) in enumerate(engines)
    ])  # fmt: skip
    cutting.cancel()
    await asyncio.wait([cutting])
    await killer.close()
    assert await outcomes(bench) == {event["id"]: engine for engine, events in engines for event in events}
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM queue") == 0
    assert kills, "nothing was cut"


async def test_a_finish_and_a_reservation_at_once_leave_no_call_open(bench: Bench) -> None:
    engine = await bench.engine()
    for _ in range(20):
        await bench.post()
        (event,) = await bench.claim(engine)
        call = {
            "event_id": event["id"], "lease_no": event["lease_no"], "call": 1, "model": "rehearsal",
            "input_bound": 10, "max_tokens": 10, "request_hash": "x",
        }  # fmt: skip
        states, _ = await asyncio.gather(
            bench.finish(engine, done(event)),
            bench.call("POST", "/events/reserve", {"engine_id": engine, "calls": [call]}, 200),
        )
        assert states == ["done"]
        assert await bench.deps.pool.fetchval("SELECT count(*) FROM calls WHERE state = 1") == 0


def test_the_quick_answer_is_the_slow_one() -> None:
    for ids in ((), (1,), (5, 2**63 - 1, 7)):
        slow = FinishAnswer(results=[Finished(event_id=event_id, state="done") for event_id in ids])
        assert json.loads(all_done(ids)) == json.loads(slow.model_dump_json())
