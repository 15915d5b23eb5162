"""Dead letters in bulk: which are meant, what becomes of them, and of runs that they had blocked."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.integration.queue.bench import Bench, done, failed

from pyscrai.contract.events import NewEvent
from pyscrai_api.queue import dead as module


async def dead(bench: Bench, count: int, **more: Any) -> list[int]:
    """Events that died at once."""
    await bench.post(count, **more)
    engine = await bench.engine(more.get("engine_type", "actor"))
    events: list[dict[str, Any]] = []
    while len(events) < count:
        events += await bench.claim(engine, 500)
    await bench.finish(engine, *[failed(event, permanent=True, code=more.get("event_type")) for event in events])
    return sorted(event["id"] for event in events)


async def deal(bench: Bench, how: str, **wanted: Any) -> dict[str, Any]:
    found: dict[str, Any] = await bench.call("POST", f"/events/dead/{how}", wanted, 200)
    return found


async def test_filters(bench: Bench) -> None:
    one = await dead(bench, 2, event_type="a")
    two = await dead(bench, 2, event_type="b", engine_type="other")
    for wanted, expected in (
        ({}, one + two),
        ({"event_type": "a"}, one),
        ({"lane": "Other"}, two),
        ({"code": "b"}, two),
        ({"code": "a", "lane": "other"}, []),
        ({"ids": [one[1], two[0], 10**15, -1]}, [one[1], two[0]]),
        ({"older_than": 3600}, []),
        ({"after": one[1]}, two),
        ({"run_id": "01a1f936-2127-7082-80f1-f4dd70760b3e"}, []),
    ):
        counted = await deal(bench, "redrive", dry_run=True, **wanted)
        assert (counted["matched"], counted["redriven"], counted["next"]) == (len(expected), [], None), wanted
    await bench.deps.pool.execute("UPDATE attempts SET ended_at = now() - interval '2 h' WHERE event_id = $1", one[0])
    assert (await deal(bench, "discard", older_than=3600))["discarded"] == one[:1]
    listed = await bench.call("GET", "/events/dead", None, 200, code="b")
    assert [event["id"] for event in listed["items"]] == two
    await bench.call("POST", "/events/dead/discard", {"run_id": "nobody"}, 400)
    assert (await deal(bench, "redrive", everybody=True))["redriven"] == [one[1], *two]


async def test_the_operator_lists_everybodys_without_what_they_asked(bench: Bench) -> None:
    (mine,) = await dead(bench, 1, event_type="a")
    new = NewEvent.model_validate({"engine_type": "actor", "event_type": "b", "data": {"prompt": "a secret"}})
    await bench.deps.queue.posting.post("ann", [new], None, many=True)
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    told = {**failed(event, permanent=True, code="odd"), "error": "'a secret' is not a number"}
    await bench.finish(engine, told)
    assert [one["id"] for one in (await bench.call("GET", "/events/dead"))["items"]] == [mine]
    page = await bench.call("GET", "/events/dead", everybody="true")
    found = [(one["id"], one["owner"], one["lane"], one["event_type"], one["code"]) for one in page["items"]]
    assert found == [(mine, "local", "actor", "a", "a"), (event["id"], "ann", "actor", "b", "odd")]
    assert all((one["status"], one["data"], one["result"]) == ("failed", {}, None) for one in page["items"])
    assert "secret" not in str(page)
    page = await bench.call("GET", "/events/dead", everybody="true", code="odd", limit=1)
    assert ([one["owner"] for one in page["items"]], page["next"]) == (["ann"], str(event["id"]))


async def test_more_than_a_request_looks_at(bench: Bench, monkeypatch: Any) -> None:
    """Batches go on where the last one ended, also over many that do not match."""
    first = await dead(bench, 30, event_type="a")
    last = await dead(bench, 10, event_type="b")
    after, found, looks = 0, [], 0
    while after is not None:
        answer = await deal(bench, "redrive", limit=4, after=after, event_type="b", dry_run=True)
        after, looks = answer["next"], looks + 1
        found.append(answer["matched"])
    assert (found, looks) == ([4, 4, 2], 3)
    text = module.sql("operating", "dead").replace("LIMIT 5000", "LIMIT 7")
    monkeypatch.setattr(module, "sql", lambda file, name: text)
    monkeypatch.setattr(module, "LOOKED_AT", 7)
    after, ids = 0, []
    while after is not None:
        answer = await deal(bench, "discard", after=after, event_type="b")
        after, ids = answer["next"], ids + answer["discarded"]
    assert ids == last
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM queue WHERE state = 6") == len(first)


async def test_two_people_and_engines_at_once(bench: Bench) -> None:
    """Redriven, given up, claimed and finished at the same time: each event takes one way, and none is lost."""
    ids = await dead(bench, 200)
    engine = await bench.engine()

    async def work() -> list[int]:
        over: list[int] = []
        for _ in range(40):
            events = await bench.claim(engine, 20)
            if events:
                assert set(await bench.finish(engine, *[done(event) for event in events])) == {"done"}
            over += [event["id"] for event in events]
        return over

    async def clerk(how: str, at: int) -> list[int]:
        mine: list[int] = []
        for start in range(at, len(ids), 20):
            answer = await deal(bench, how, ids=ids[start : start + 20])
            mine += answer["redriven"] + answer["discarded"]
        return mine

    finished, back, gone = await asyncio.gather(work(), clerk("redrive", 0), clerk("discard", 0))
    assert not set(back) & set(gone)
    assert sorted(back + gone) == ids
    finished += await work()
    assert sorted(finished) == sorted(back)
