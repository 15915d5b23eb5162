"""Operators stop event types, lanes and engines: nothing more of them is given out, and nothing of it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from tests.integration.queue.bench import Bench, back, done, failed, until

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.loops.promote import Promote
from pyscrai_api.queue import pauses as module
from pyscrai_api.queue.store import NewRow, enqueue_step
from pyscrai_api.settings import Settings

NONE_READY = "SELECT NOT EXISTS (SELECT FROM queue WHERE event_type = $1 AND state = 2)"


@pytest.fixture
async def other(settings: Settings, bench: Bench) -> AsyncIterator[Bench]:
    """Another replica on the same database."""
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as http:
            yield Bench(http=http, deps=deps)


async def pause(bench: Bench, event_type: str = "", lane: str = "", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = await bench.call(
        "PUT", "/queue/pauses", {"event_type": event_type, "lane": lane, **more}, 200
    )
    return made


async def resume(bench: Bench, event_type: str = "", lane: str = "", status: int = 204) -> None:
    await bench.call("DELETE", "/queue/pauses", None, status, event_type=event_type, lane=lane)


async def states(bench: Bench) -> dict[int, int]:
    return {row["id"]: row["state"] for row in await bench.deps.pool.fetch("SELECT id, state FROM queue ORDER BY id")}


async def step_of(bench: Bench, run: Any, kinds: list[str]) -> list[int]:
    """Events of a run that was made by hand."""
    async with bench.deps.pool.acquire() as conn, conn.transaction():
        rows = [NewRow(ordinal=i, event_type=kind, lane="actor", payload="{}") for i, kind in enumerate(kinds)]
        ids, *_ = await enqueue_step(conn, run, rows, step=1, last_pass=0, owner="local", max_failures=3, max_losses=10)
        await conn.execute("UPDATE runs SET open = $2, step = 1 WHERE id = $1", run, len(ids))
    return ids


async def test_a_pause_of_what_nobody_knows_says_so(bench: Bench) -> None:
    """It holds what may come all the same."""
    await bench.engine("painter", pool="ann")
    await bench.post(1, event_type="sketch", engine_type="studio")
    for kind, lane in (
        ("", ""), ("decide", ""), ("decide", "actor"), ("prompt", ""), ("", "painter:ann"), ("sketch", "studio"),
    ):  # fmt: skip
        made = await pause(bench, kind, lane)
        assert (made["known"], made["near"]) == (True, []), (kind, lane)
        await resume(bench, kind, lane)
    for kind, lane, near in (
        ("decied", "", "decide"), ("Decide", "", "decide"), ("decide", "actro", "actor"), ("", "stduio", "studio"),
        ("scetch", "studio", "sketch"), ("", "painter:anna", "painter:ann"),
    ):  # fmt: skip
        made = await pause(bench, kind, lane)
        assert (made["known"], made["near"][0]) == (False, near), (kind, lane)
    made = await pause(bench, "xyzzy")
    assert (made["known"], made["near"]) == (False, [])
    (posted,) = await bench.post(1, event_type="xyzzy")
    engine = await bench.engine()
    assert await bench.claim(engine) == []
    assert (await pause(bench, "xyzzy"))["known"]
    assert (await bench.row(posted))["event_type"] == "xyzzy"
    assert {one["known"] for one in await bench.call("GET", "/queue/pauses")} == {None}


async def test_a_type_is_paused_everywhere_or_in_one_lane(bench: Bench) -> None:
    a, b = await bench.post(1, event_type="a"), await bench.post(1, event_type="b")
    other = await bench.post(1, event_type="a", engine_type="other")
    actor, engine = await bench.engine(), await bench.engine("other")
    shown = await pause(bench, "a", "actor", reason="a new prompt")
    assert (shown["leased"], shown["held"], shown["by"], shown["reason"]) == (0, 0, "local", "a new prompt")
    assert [event["id"] for event in await bench.claim(actor)] == b
    assert [event["id"] for event in await bench.claim(engine)] == other
    await pause(bench, "a")
    await bench.post(1, event_type="a", engine_type="other")
    assert await bench.claim(engine) == []
    await resume(bench, "a")
    assert len(await bench.claim(engine)) == 1
    assert await bench.claim(actor) == []
    await resume(bench, "a", "actor")
    assert [event["id"] for event in await bench.claim(actor)] == a
    await resume(bench, "a", "actor", 404)


async def test_a_lane_or_everything_is_paused(bench: Bench) -> None:
    posted = await bench.post(2)
    engine = await bench.engine()
    await pause(bench, lane="actor")
    assert await bench.claim(engine) == []
    assert await bench.deps.queue.pauses.move() == 0, "nobody walks over what stands in a lane that is paused"
    assert set((await states(bench)).values()) == {2}
    await resume(bench, lane="actor")
    await pause(bench)
    assert await bench.claim(engine) == []
    await resume(bench)
    assert [event["id"] for event in await bench.claim(engine)] == posted


async def test_whoever_waits_is_served_when_the_pause_ends(bench: Bench) -> None:
    await pause(bench, "prompt")
    posted = await bench.post(3)
    pauses, engine = bench.deps.queue.pauses, await bench.engine()
    waiting = asyncio.create_task(bench.claim(engine, wait=30))
    await until(lambda: bench.deps.queue.claimers.parked)
    assert await pauses.move() == 3
    assert await states(bench) == dict.fromkeys(posted, 5)
    assert not waiting.done()
    await resume(bench, "prompt")
    assert await pauses.move() == 3
    assert [event["id"] for event in await waiting] == posted


async def test_what_is_leased_goes_on_to_its_end_and_then_it_is_drained(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.post(3)
    engine = await bench.engine()
    one, two = await bench.claim(engine, 2)
    monkeypatch.setattr(module, "KNOWN", 0.0)
    assert (await pause(bench, "prompt"))["leased"] == 2
    await bench.deps.queue.pauses.move()
    assert await bench.finish(engine, done(one), back(two)) == ["done", "done"]
    (shown,) = await bench.call("GET", "/queue/pauses")
    assert (shown["leased"], shown["drained"]) == (0, True)
    monkeypatch.setattr(module, "KNOWN", 3600.0)
    (shown,) = await bench.call("GET", "/queue/pauses")
    assert not shown["drained"], "another process may not know of it yet, and be giving some out"
    assert await bench.deps.queue.pauses.move() == 1, "what is handed back is held with the rest"
    assert set((await states(bench)).values()) == {5}


async def test_retries_and_what_becomes_due_are_held_too(bench: Bench) -> None:
    (posted,) = await bench.post()
    (later,) = await bench.post(scheduled_for="2999-01-01T00:00:00Z")
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    await pause(bench, "prompt")
    await bench.finish(engine, failed(event))
    await bench.deps.pool.execute("UPDATE queue SET run_at = now()")
    await Promote(pool=bench.deps.pool, bell=bench.deps.bell).run_once()
    assert await bench.deps.queue.pauses.move() == 2
    assert await states(bench) == {posted: 5, later: 5}
    cancelled = await bench.call("POST", f"/events/{later}/cancel", None, 200)
    assert cancelled["state"] == "cancelled"


async def test_events_of_runs_are_held_under_the_runs_lock_and_released_where_it_runs(bench: Bench) -> None:
    run, stands = await bench.run(), await bench.run()
    ids, still = await step_of(bench, run, ["a", "b"]), await step_of(bench, stands, ["a"])
    pauses, pool = bench.deps.queue.pauses, bench.deps.pool
    await pause(bench, "a")
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM runs WHERE id = ANY($1) FOR UPDATE", [run, stands])
        assert await pauses.move() == 0, "somebody has them: another time"
    assert await pauses.move() == 2
    assert await states(bench) == {ids[0]: 5, ids[1]: 2, still[0]: 5}
    await pool.execute("UPDATE runs SET status = 'paused', reason = '{}' WHERE id = $1", stands)
    await resume(bench, "a")
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM runs WHERE id = $1 FOR UPDATE", run)
        assert await pauses.move() == 1, "the one that stands still keeps what is its own"
    assert await states(bench) == {ids[0]: 5, ids[1]: 2, still[0]: 5}
    assert await pauses.move() == 1
    assert await states(bench) == {ids[0]: 2, ids[1]: 2, still[0]: 5}
    assert await pauses.move() == 0
    await pool.execute("UPDATE runs SET status = 'running', reason = NULL WHERE id = $1", stands)
    await pool.execute("UPDATE queue SET state = 2 WHERE id = $1", still[0])


async def test_a_run_that_goes_on_meanwhile_does_not_give_out_what_is_paused(bench: Bench) -> None:
    run = await bench.run("paused")
    ids = await step_of(bench, run, ["a", "b"])
    await Promote(pool=bench.deps.pool, bell=bench.deps.bell).run_once()
    assert await states(bench) == dict.fromkeys(ids, 5)
    await pause(bench, "a")
    await bench.deps.pool.execute("UPDATE runs SET status = 'running', reason = NULL WHERE id = $1", run)
    await bench.deps.pool.execute("UPDATE queue SET state = 2")  # as resuming does
    engine = await bench.engine()
    assert [event["id"] for event in await bench.claim(engine)] in ([ids[1]], [])
    assert await bench.deps.queue.pauses.move() == 1
    assert (await states(bench))[ids[0]] == 5


async def test_money_is_still_waited_for_after_a_pause(bench: Bench) -> None:
    run = await bench.run()
    (event,) = await step_of(bench, run, ["a"])
    await pause(bench, "a")
    await bench.deps.queue.pauses.move()
    await bench.deps.pool.execute("UPDATE queue SET need = 1 WHERE id = $1", event)
    await bench.deps.pool.execute("UPDATE runs SET short_of_money = true WHERE id = $1", run)
    await resume(bench, "a")
    assert await bench.deps.queue.pauses.move() == 1
    row = await bench.row(event)
    assert (row["state"], row["need"], row["paused"]) == (5, 1, None)
    assert await bench.deps.queue.pauses.move() == 0
    await bench.deps.pool.execute("UPDATE queue SET need = NULL, state = 2")


async def test_two_replicas_hold_and_release_the_same_events(bench: Bench, other: Bench) -> None:
    await pause(bench, "prompt")
    await bench.post(300)
    both = [bench.deps.queue.pauses, other.deps.queue.pauses]
    await until(lambda: other.deps.queue.pauses.excluded("actor"))

    async def moved() -> list[int]:
        found = [sum(await asyncio.gather(*(one.move() for one in both)))]
        while any(await asyncio.gather(*(one.move() for one in both))):
            found.append(1)
        return found

    await moved()
    assert set((await states(bench)).values()) == {5}
    await resume(other, "prompt")
    await moved()
    assert set((await states(bench)).values()) == {2}


async def test_another_replica_hears_of_it(bench: Bench, other: Bench) -> None:
    await asyncio.gather(*(one.deps.bell.connected.wait() for one in (bench, other)))
    await pause(bench, "prompt", "actor")
    await until(lambda: other.deps.queue.pauses.excluded("actor") == ("prompt",))
    await pause(bench, lane="actor")
    await until(lambda: other.deps.queue.pauses.excluded("actor") is None)
    await resume(bench, lane="actor")
    await resume(bench, "prompt", "actor")
    await until(lambda: other.deps.queue.pauses.excluded("actor") == ())


async def test_a_replica_that_was_stopped_for_a_while_looks_before_it_gives_out(bench: Bench, other: Bench) -> None:
    await bench.post(3)
    engine = await other.engine()
    await bench.deps.pool.execute("INSERT INTO pauses (lane, event_type, reason, by) VALUES ('actor', '', 'r', 'me')")
    # As after SIGSTOP and SIGCONT: what it knows is old, and nobody has told it anything.
    other.deps.queue.pauses._read_at -= 60
    assert await other.claim(engine, 3) == []
    await resume(other, lane="actor")
    assert len(await other.claim(engine, 3)) == 3


async def test_claims_that_run_while_a_type_is_paused_lose_nothing(bench: Bench, other: Bench) -> None:
    """Two replicas give out, hold and release at random; afterwards each event was finished once."""
    posted = await bench.post(200, event_type="a") + await bench.post(200, event_type="b")
    engines = [(each, await each.engine()) for each in (bench, other)]
    over = asyncio.Event()
    finished: list[int] = []

    async def work(each: Bench, engine: str) -> None:
        while not over.is_set():
            events = await each.claim(engine, 7, wait=0.05)
            if events:
                assert set(await each.finish(engine, *[done(event) for event in events])) == {"done"}
                finished.extend(event["id"] for event in events)

    async def move(each: Bench) -> None:
        while not over.is_set():
            await each.deps.queue.pauses.move()
            await asyncio.sleep(0)

    async def operate() -> None:
        for turn in range(6):
            kind = "ab"[turn % 2]
            await pause((bench, other)[turn % 2], kind)
            await until(partial(bench.deps.pool.fetchval, NONE_READY, kind))
            await resume((other, bench)[turn % 2], kind)
        await until(lambda: len(finished) == len(posted))
        over.set()

    await asyncio.gather(operate(), *(work(*one) for one in engines), *(move(each) for each in (bench, other)))
    assert sorted(finished) == posted
    assert await states(bench) == {}


async def test_a_paused_engine_stays_and_gets_nothing(bench: Bench, other: Bench) -> None:
    paused, busy = await bench.engine(), await bench.engine()
    waiting = asyncio.create_task(other.claim(paused, wait=30))
    await until(lambda: other.deps.queue.claimers.parked)
    assert (await bench.call("POST", f"/engine-instances/{paused}/pause"))["status"] == "paused"
    assert await waiting == [], "it was parked in another process, and is let go"
    posted = await bench.post(1)
    waiting = asyncio.create_task(other.claim(paused, wait=30))
    beat = await bench.call("PUT", f"/engine-instances/{paused}/heartbeat", {"status": "active"})
    assert (beat["status"], beat["drain"]) == ("paused", False)
    assert [event["id"] for event in await bench.claim(busy)] == posted
    assert not waiting.done()
    assert (await bench.call("POST", f"/engine-instances/{paused}/resume"))["status"] == "active"
    assert await waiting == [], "it asks again"
    posted = await bench.post(1)
    events = await until(lambda: other.claim(paused, wait=30))  # nothing, as long as it is thought paused
    assert [event["id"] for event in events] == posted


async def test_an_engine_drains_and_cannot_be_called_back(bench: Bench) -> None:
    engine = await bench.engine()
    assert (await bench.call("POST", f"/engine-instances/{engine}/drain"))["status"] == "draining"
    assert (await bench.call("POST", f"/engine-instances/{engine}/drain", None, 200))["status"] == "draining"
    for verb in ("pause", "resume"):
        await bench.call("POST", f"/engine-instances/{engine}/{verb}", None, 409)
    assert (await bench.call("PUT", f"/engine-instances/{engine}/heartbeat", {}))["drain"]
    await bench.call("DELETE", f"/engine-instances/{engine}", None, 204)
    for verb in ("pause", "resume", "drain"):
        await bench.call("POST", f"/engine-instances/{engine}/{verb}", None, 404)
    await bench.call("POST", f"/engine-instances/{engine}/dance", None, 400)


async def test_what_is_held_for_a_pause_fills_its_lane(dsn: str) -> None:
    """Else producers could go on for ever while their events are paused."""
    settings = Settings(database_url=dsn, most_queued=5)
    for posts in (4, 1):  # the second process counts anew, and finds room for one more
        async with open_deps(settings) as deps:
            transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as http:
                bench = Bench(http=http, deps=deps)
                await pause(bench, "prompt")
                await bench.post(posts)
                assert await deps.queue.pauses.move() == posts
                event = {"engine_type": "actor", "data": {"prompt": "x"}}
                problem = await bench.call("POST", "/events", [event] * 2, 429)
                assert problem["code"] == "queue_full"


async def test_what_cannot_be_a_lane_is_refused(bench: Bench) -> None:
    problem = await bench.call("PUT", "/queue/pauses", {"lane": "not a lane"}, 400)
    assert [error["pointer"] for error in problem["errors"]] == ["/lane"]


async def test_a_pause_that_is_ended_while_it_is_made_is_told(bench: Bench) -> None:
    pauses = bench.deps.queue.pauses
    honest = pauses.changed

    async def ended() -> None:
        await bench.deps.pool.execute("DELETE FROM pauses")
        await honest()

    with patch.object(pauses, "changed", ended):
        await bench.call("PUT", "/queue/pauses", {"event_type": "decide"}, 409)
