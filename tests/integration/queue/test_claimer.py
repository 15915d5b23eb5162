"""The claimer's memory of where to begin, and what becomes of polls when things go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.integration.queue.bench import Bench, until

from pyscrai_api.queue.claimer import FEW, Claimer, Key, Poll
from pyscrai_api.queue.claimers import Claimers
from pyscrai_api.queue.ports import ClaimedRow
from pyscrai_api.queue.store import Place


@asynccontextmanager
async def claim(
    bench: Bench, engine: str, most: int, wait: float = 0, key: Key = ("actor", None)
) -> AsyncIterator[Poll]:
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with bench.deps.queue.claimers.claim(
        key, engine_id=UUID(engine), claim_id=uuid4(), most=most, lease_seconds=60, wait=wait, gone=gone
    ) as poll:
        poll.delivered = True
        yield poll


def only(claimers: Claimers) -> Claimer:
    (claimer,) = claimers._claimers.values()
    return claimer


async def test_a_full_claim_leaves_a_mark_and_a_short_one_takes_it_away(bench: Bench) -> None:
    posted = await bench.post(6)
    engine = await bench.engine()
    async with claim(bench, engine, 4) as poll:
        assert poll.ids == posted[:4]
    claimer = only(bench.deps.queue.claimers)
    assert claimer._mark is not None
    assert claimer._mark.id == posted[3]
    async with claim(bench, engine, 4) as poll:
        assert poll.ids == posted[4:]
    assert claimer._mark is None


async def test_a_ring_below_the_mark_lowers_it_also_while_a_claim_runs(bench: Bench) -> None:
    posted = await bench.post(4)
    engine = await bench.engine()
    async with claim(bench, engine, 2):
        pass
    claimer = only(bench.deps.queue.claimers)
    assert claimer._mark is not None
    below = Place(claimer._mark.rank, claimer._mark.pass_, posted[0])
    claimer.ring(below)
    assert claimer._mark == below._replace(id=posted[0] - 1)
    claimer.ring(below._replace(rank=9))
    assert claimer._mark == below._replace(id=posted[0] - 1), "a place above changes nothing"
    honest = claimer._claim

    async def slow(*asked: Any) -> list[ClaimedRow]:
        rows: list[ClaimedRow] = await honest(*asked)
        claimer.ring(below)
        return rows

    claimer._claim = slow  # type: ignore[method-assign, assignment]
    async with claim(bench, engine, 2) as poll:
        assert poll.ids == posted[2:]
    assert claimer._mark == below._replace(id=posted[0] - 1)


async def test_what_went_back_below_the_mark_is_claimed_next(bench: Bench) -> None:
    posted = await bench.post(30)
    engine = await bench.engine()
    events = await bench.claim(engine, 10)
    await bench.finish(engine, {"event_id": posted[3], "lease_no": events[3]["lease_no"], "status": "handed_back"})
    async with claim(bench, engine, 1) as poll:
        assert poll.ids == [posted[3]]


async def test_a_claimer_that_breaks_says_so_and_the_next_poll_starts_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await bench.engine()
    with monkeypatch.context() as patch:
        patch.setattr(Claimer, "_attempt", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            async with claim(bench, engine, 1):
                pass
    posted = await bench.post()
    async with claim(bench, engine, 1) as poll:
        assert poll.ids == posted


async def test_a_statement_that_fails_after_one_that_worked_delivers_what_there_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted = await bench.post(60)
    engine = await bench.engine()
    honest = Claimer._claim
    calls = []

    async def second_fails(self: Claimer, polls: list[Poll], seats: bytes, *more: Any) -> list[ClaimedRow]:
        calls.append(len(seats))
        if len(calls) > 1:
            raise ConnectionResetError("cut")
        return await honest(self, polls, seats, *more)

    monkeypatch.setattr(Claimer, "_claim", second_fails)
    async with claim(bench, engine, 57) as poll:
        assert poll.ids == posted[:50]
    assert calls == [50, 7]


async def test_a_claim_that_is_cancelled_while_its_statement_runs_goes_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (posted,) = await bench.post()
    engine = await bench.engine()
    honest = Claimer._claim
    claimed, go_on = asyncio.Event(), asyncio.Event()

    async def slow(self: Claimer, *asked: Any) -> list[ClaimedRow]:
        rows = await honest(self, *asked)
        claimed.set()
        await go_on.wait()
        return rows

    monkeypatch.setattr(Claimer, "_claim", slow)
    request = asyncio.create_task(bench.claim(engine, 1, wait=30))
    await claimed.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    go_on.set()

    async def back() -> bool:
        row = await bench.row(posted)
        return (row["state"], row["handbacks"]) == (2, 1)

    await until(back)


async def test_what_cannot_be_given_back_now_waits_for_heartbeat_or_sweep(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (posted,) = await bench.post()
    engine = UUID(await bench.engine())
    claimers = bench.deps.queue.claimers

    async def fails(*_: object) -> None:
        raise ConnectionResetError("cut")

    monkeypatch.setattr(claimers, "_give_back", fails)
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with claimers.claim(
        ("actor", None), engine_id=engine, claim_id=uuid4(), most=1, lease_seconds=60, wait=0, gone=gone
    ):
        pass
    await claimers.close()
    assert (await bench.row(posted))["state"] == 3


async def test_lanes_that_nobody_polls_are_forgotten(bench: Bench) -> None:
    engine = await bench.engine()
    for number in range(70):
        async with claim(bench, engine, 1, key=(f"actor:p{number}", None)):
            pass
    assert len(bench.deps.queue.claimers._claimers) < 70


async def test_one_event_for_very_many_polls_costs_what_it_costs_for_few(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = [await bench.engine() for _ in range(4)]
    honest = Claimer._claim
    asked: list[int] = []

    async def counted(self: Claimer, polls: list[Poll], seats: bytes, *more: Any) -> list[ClaimedRow]:
        asked.append(len(seats))
        return await honest(self, polls, seats, *more)

    async def take(number: int) -> list[int]:
        async with claim(bench, engines[number % 4], 5, wait=30) as poll:
            return poll.ids

    parked = [asyncio.create_task(take(number)) for number in range(300)]
    claimer = await until(lambda: (found := bench.deps.queue.claimers._claimers) and next(iter(found.values())))
    await until(lambda: len(claimer._polls) == 300 and not claimer._asking and not claimer._due)
    monkeypatch.setattr(Claimer, "_claim", counted)
    (posted,) = await bench.post()
    assert await parked[0] == [posted], "the oldest"
    assert max(asked) == FEW
    many = await bench.post(600)
    found = [event for answer in await asyncio.gather(*parked[1:61]) for event in answer]
    assert set(found) <= set(many)
    assert len(set(found)) == len(found)
    assert max(asked) > FEW, "while there is as much as was asked for, twice as much is asked for"
    for task in parked:
        task.cancel()
    await asyncio.gather(*parked, return_exceptions=True)
    await until(lambda: not claimer._polls and not bench.deps.queue.claimers.parked)
    assert len(claimer._deadlines) < 1000


async def test_a_deadline_asks_the_database_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = await bench.engine()
    honest = Claimer._claim
    asked = []

    async def counted(self: Claimer, *more: Any) -> list[ClaimedRow]:
        asked.append(asyncio.get_running_loop().time())
        return await honest(self, *more)

    monkeypatch.setattr(Claimer, "_claim", counted)
    began = asyncio.get_running_loop().time()
    async with claim(bench, engine, 1, wait=0.2) as poll:
        assert poll.ids == []
    assert asyncio.get_running_loop().time() - began >= 0.2
    assert len(asked) == 1


async def test_an_engine_that_is_let_go_gets_nothing_more(bench: Bench) -> None:
    engine, other = await bench.engine(), await bench.engine()

    async def take(name: str) -> list[int]:
        async with claim(bench, name, 5, wait=30) as poll:
            return poll.ids

    first, second = asyncio.create_task(take(engine)), asyncio.create_task(take(other))
    claimers = bench.deps.queue.claimers
    await until(lambda: claimers.parked == 2)
    claimers.let_go(UUID(engine))
    assert await first == []
    posted = await bench.post()
    assert await second == posted


async def test_what_is_excluded_stays_and_a_paused_lane_gives_nothing(bench: Bench) -> None:
    one, two = await bench.post(2, event_type="one"), await bench.post(2, event_type="two")
    engine = UUID(await bench.engine())
    excluded: list[Any] = [("one",)]

    class Stopped:
        async def fresh(self) -> None:
            """It always knows."""

        def excluded(self, lane: str) -> Any:
            return excluded[0]

    claimers = Claimers(bench.deps.pool, bench.deps.queue.delivery.give_back, Stopped())
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def take(key: Key) -> list[int]:
        async with claimers.claim(
            key, engine_id=engine, claim_id=uuid4(), most=9, lease_seconds=60, wait=0, gone=gone
        ) as poll:
            poll.delivered = True
            return poll.ids

    assert await take(("actor", frozenset({"one"}))) == []
    assert await take(("actor", None)) == two
    excluded[0] = None
    assert await take(("actor", None)) == []
    excluded[0] = ()
    assert await take(("actor", frozenset({"one"}))) == one
