"""Posts that come together, and answers that are built without a look at the database."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from unittest.mock import patch

import pytest
from tests.integration.queue.bench import Bench, until

from pyscrai.contract.events import Event
from pyscrai_api.catalog import store as catalog
from pyscrai_api.queue import posting
from pyscrai_api.queue.inserting import insert

NEW = {"engine_type": "actor", "data": {"prompt": "hello", "z": 1.5, "a": ["é", None]}}


@pytest.mark.parametrize(
    "more", [{}, {"scheduled_for": "2031-01-31T12:00:00+02:00"}, {"priority": 9, "dedupe_key": "k"}]
)
async def test_the_answer_is_what_reading_it_gives(bench: Bench, more: dict[str, Any]) -> None:
    answer = await bench.http.post("/api/v1/events", json={**NEW, **more})
    assert answer.status_code == 201
    made = answer.json()
    assert list(made) == list(Event.model_fields)
    assert made == await bench.event(made["id"])
    (again,) = await bench.call("POST", "/events", [{**NEW, **more, "dedupe_key": "other"}], 201)
    assert again == await bench.event(again["id"])


async def test_many_kinds_in_one_request_keep_their_order(bench: Bench) -> None:
    items = [
        {**NEW, "engine_type": lane, "event_type": kind, "priority": priority}
        for lane in ("actor", "other")
        for priority in (5, 9)
        for kind in ("one", "two", "one")
    ]
    made = await bench.call("POST", "/events", items, 201)
    assert [(e["lane"], e["priority"], e["event_type"]) for e in made] == [
        (i["engine_type"], i["priority"], i["event_type"]) for i in items
    ]
    for event in made:
        assert event == await bench.event(event["id"])


async def test_posts_that_come_together_are_one_statement(bench: Bench) -> None:
    statements: list[int] = []

    async def counted(conn: Any, items: Any, fairness: Any) -> Any:
        statements.append(len(items))
        return await insert(conn, items, fairness)

    with patch.object(posting, "insert", counted):
        answers = await asyncio.gather(*(bench.http.post("/api/v1/events", json=NEW) for _ in range(40)))
    assert [answer.status_code for answer in answers] == [201] * 40
    assert len({answer.json()["id"] for answer in answers}) == 40
    assert sum(statements) == 40
    assert len(statements) < 20


async def test_one_that_is_wrong_does_not_harm_the_others(bench: Bench) -> None:
    bodies = [{**NEW, "data": {"prompt": str(n)}} for n in range(20)]
    bodies[7] = {"event_type": "nowhere", "data": {}}
    bodies[9] = {"event_type": "decide", "engine_type": "actor", "data": {"text": 5}}
    bodies[11] = {**NEW, "engine_type": "Not a lane"}
    answers = await asyncio.gather(*(bench.http.post("/api/v1/events", json=body) for body in bodies))
    expected = [400 if n in (7, 11) else 201 for n in range(20)]
    found = [answer.status_code for answer in answers]
    assert found[:9] + found[10:] == expected[:9] + expected[10:]
    good = [(n, answer.json()) for n, answer in enumerate(answers) if answer.status_code == 201 and n != 9]
    assert all(event["data"]["prompt"] == str(n) for n, event in good)


async def test_where_the_statement_of_all_fails_each_is_tried_alone(bench: Bench) -> None:
    async def fussy(conn: Any, items: Any, fairness: Any) -> Any:
        if any("poison" in item.payload for item in items):
            raise ValueError("this cannot be kept")
        return await insert(conn, items, fairness)

    texts = ["fine", "poison", "fine", "fine"]
    with patch.object(posting, "insert", fussy):
        answers = await asyncio.gather(
            *(bench.http.post("/api/v1/events", json={**NEW, "data": {"prompt": text}}) for text in texts)
        )
    assert [answer.status_code for answer in answers] == [201, 500, 201, 201]
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM queue") == 3


async def test_who_asks_no_more_does_not_keep_the_others_waiting(bench: Bench) -> None:
    requests = [asyncio.create_task(bench.http.post("/api/v1/events", json=NEW)) for _ in range(10)]
    await asyncio.sleep(0)
    requests[3].cancel()
    answers = await asyncio.gather(*requests, return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) and answer.status_code == 201 for answer in answers) == 9


async def test_one_key_under_many_requests_at_once_is_one_event(bench: Bench) -> None:
    headers = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(
        *(bench.http.post("/api/v1/events", json=NEW, headers=headers) for _ in range(8)),
        *(bench.http.post("/api/v1/events", json=NEW) for _ in range(4)),
    )
    keyed = answers[:8]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in keyed}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in keyed) == 7
    assert len({answer.text for answer in keyed}) == 1
    assert len({answer.json()["id"] for answer in answers}) == 5


async def test_dedupe_keys_that_cross_make_each_event_once(bench: Bench) -> None:
    keys = [f"k{n}" for n in range(50)]

    async def post(order: list[str]) -> set[int]:
        made = await bench.call("POST", "/events", [{**NEW, "dedupe_key": key} for key in order], 201)
        return {event["id"] for event in made}

    found = await asyncio.gather(*(post(keys if n % 2 else keys[::-1]) for n in range(6)))
    assert all(ids == found[0] for ids in found)
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM queue") == 50


async def test_the_catalog_is_asked_once_for_all(bench: Bench) -> None:
    asked: list[int] = []
    find = catalog.event_types

    async def counted(conn: Any, wanted: Any) -> Any:
        asked.append(len(wanted))
        return await find(conn, wanted)

    with patch.object(catalog, "event_types", counted):
        answer = await bench.http.post(
            "/api/v1/events", json=[{"engine_type": "actor", "data": {"n": n}} for n in range(200)]
        )
    assert answer.status_code == 201, answer.text
    assert asked == [1]
    assert json.loads(answer.text)[0]["event_type"] == "prompt"


async def test_a_statement_that_hangs_does_not_keep_the_others(bench: Bench) -> None:
    free = asyncio.Event()

    async def hanging(conn: Any, items: Any, fairness: Any) -> Any:
        if "slow" in items[0].payload:
            await free.wait()
        return await insert(conn, items, fairness)

    with patch.object(posting, "insert", hanging):
        slow = asyncio.create_task(bench.http.post("/api/v1/events", json={**NEW, "data": {"prompt": "slow"}}))
        await until(lambda: bench.deps.queue.posting._going)
        others = await asyncio.gather(*(bench.http.post("/api/v1/events", json=NEW) for _ in range(5)))
        assert {answer.status_code for answer in others} == {201}
        assert not slow.done()
        free.set()
        assert (await slow).status_code == 201
    await until(lambda: bench.deps.queue.posting._late == 0)


async def test_the_same_events_of_many_kinds_in_any_order_are_made_once_and_nobody_is_sent_away(bench: Bench) -> None:
    """Their keys are locked in one order: else the two lock each other out, and PostgreSQL ends one."""
    for attempt in range(4):
        events = [
            {"engine_type": "actor", "data": {"prompt": "x"}, "priority": 1 + i % 8, "dedupe_key": f"{attempt}-{i}"}
            for i in range(64)
        ]
        orders = events, events[::-1], events[32:] + events[:32], events
        posts = [bench.http.post("/api/v1/events", json={"events": each}) for each in orders]
        assert [answer.status_code for answer in await asyncio.gather(*posts)] == [201] * 4
    assert await bench.deps.pool.fetchval("SELECT count(*) FROM events") == 4 * 64


async def test_long_payloads_of_one_are_not_added_to_those_of_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "MOST_CHARACTERS", 250)
    sizes: list[int] = []

    async def counted(conn: Any, items: Any, fairness: Any) -> Any:
        sizes.append(sum(len(item.payload) for item in items))
        return await insert(conn, items, fairness)

    with patch.object(posting, "insert", counted):
        await asyncio.gather(*[bench.post(1, data={"prompt": "x" * length}) for length in (400, *[88] * 7)])
    assert sorted(sizes)[-1] == 413, "what is longer by itself goes alone"
    assert sum(sizes) == 413 + 7 * 101
    assert all(size <= 250 for size in sorted(sizes)[:-1])


async def test_texts_are_clean_however_a_body_is_encoded(bench: Bench) -> None:
    body = '{"event_type":"one\\u0000\\ud800","engine_type":"actor","data":{"prompt":"x"}}'
    for encoding in ("utf-8", "utf-16-le", "utf-32-be"):
        answer = await bench.http.post(
            "/api/v1/events", content=body.encode(encoding), headers={"content-type": "application/json"}
        )
        assert answer.status_code == 201, answer.text
        assert answer.json()["event_type"] == "one\ufffd\ufffd"
