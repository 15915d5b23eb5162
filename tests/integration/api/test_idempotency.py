"""The same request sent twice is done once."""

from __future__ import annotations

import asyncio

import asyncpg
import httpx
import pytest

from pyscrai_api import idempotency
from pyscrai_api.deps import Deps
from pyscrai_api.errors import Conflict, Invalid
from pyscrai_api.idempotency import Answer, Key, once, prune

KEY = {"Idempotency-Key": "k-1"}


async def test_a_repeat_is_answered_and_not_done(api: httpx.AsyncClient, shared: Deps) -> None:
    first = await api.post("/api/v1/templates/agents", json={"name": "a"}, headers=KEY)
    again = await api.post("/api/templates/agents/", json={"name": "a"}, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await shared.pool.fetchval("SELECT count(*) FROM templates WHERE owner = 'local'") == 1


async def test_the_same_key_for_something_else(api: httpx.AsyncClient) -> None:
    await api.post("/api/v1/templates/agents", json={"name": "a"}, headers=KEY)
    other = await api.post("/api/v1/templates/agents", json={"name": "b"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert (await api.post("/api/v1/templates/event-types", json={"name": "a"}, headers=KEY)).status_code == 400


async def test_a_refusal_is_not_kept(api: httpx.AsyncClient) -> None:
    assert (await api.post("/api/v1/templates/agents", json={"name": "Bad Name"}, headers=KEY)).status_code == 400
    assert (await api.post("/api/v1/templates/agents", json={"name": "good"}, headers=KEY)).status_code == 201


async def test_eight_at_once_are_one(api: httpx.AsyncClient, shared: Deps) -> None:
    answers = await asyncio.gather(
        *(api.post("/api/v1/templates/agents", json={"name": "a"}, headers=KEY) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 7


async def test_keys_have_a_length(api: httpx.AsyncClient) -> None:
    for key in ("", "x" * 300):
        answer = await api.post("/api/v1/templates/agents", json={"name": "a"}, headers={"Idempotency-Key": key})
        assert answer.status_code == 400


def key(text: str = "k") -> Key:
    return Key(owner="local", route="POST /x", key=text, body_hash="h")


async def test_work_that_fails_leaves_the_key_free(shared: Deps) -> None:
    async def fails() -> Answer:
        raise Invalid("no")

    async def works() -> Answer:
        return Answer(status=201, body="{}")

    async with shared.pool.acquire() as connection:
        with pytest.raises(Invalid):
            async with connection.transaction():
                await once(connection, key(), fails)
        async with connection.transaction():
            assert (await once(connection, key(), works)).replayed is False
        async with connection.transaction():
            assert (await once(connection, key(), fails)).replayed is True


async def test_a_duplicate_of_something_slow_gives_up(shared: Deps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "WAIT", "SET LOCAL lock_timeout = '50ms'")
    at_work, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> Answer:
        at_work.set()
        await finish.wait()
        return Answer(status=201, body="{}")

    async def first() -> Answer:
        async with shared.pool.acquire() as connection, connection.transaction():
            return await once(connection, key(), slow)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(first())
        await at_work.wait()
        async with shared.pool.acquire() as connection:
            with pytest.raises(Conflict):
                async with connection.transaction():
                    await once(connection, key(), slow)
        finish.set()
    assert task.result().status == 201


async def test_after_a_day_a_key_is_free_again(shared: Deps) -> None:
    done = 0

    async def works() -> Answer:
        nonlocal done
        done += 1
        return Answer(status=201, body="{}")

    async def ask(connection: asyncpg.Connection, text: str) -> None:
        async with connection.transaction():
            await once(connection, key(text), works)

    async with shared.pool.acquire() as connection:
        for text in ("a", "b", "c"):
            await ask(connection, text)
        await connection.execute("UPDATE idempotency SET created_at = created_at - interval '25 hours'")
        await ask(connection, "a")
        await ask(connection, "a")
        assert done == 4
        assert [await prune(connection, 1), await prune(connection, 10), await prune(connection, 10)] == [1, 1, 0]
