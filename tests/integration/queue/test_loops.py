"""The loops: what is due becomes ready, what is over goes, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.integration.queue.bench import Bench, back, done, failed, until

from pyscrai_api.deps import Deps
from pyscrai_api.loops.all import all_running, loops
from pyscrai_api.loops.promote import Promote
from pyscrai_api.loops.retention import Retention
from pyscrai_api.loops.sweep import Sweep
from pyscrai_api.queue.store import NewRow, enqueue_step


async def test_scheduled_events_become_ready_when_they_are_due(bench: Bench) -> None:
    late = await bench.post(1, scheduled_for="2999-01-01T00:00:00Z")
    past = await bench.post(1, scheduled_for="1999-01-01T00:00:00+02:00")
    assert (await bench.row(past[0]))["state"] == 2
    promote = Promote(pool=bench.deps.pool, bell=bench.deps.bell)
    assert await promote.run_once() == 0
    shown = await bench.event(late[0])
    assert (shown["status"], shown["state"], shown["scheduled_for"][:4]) == ("queued", "scheduled", "2999")
    rung: list[Any] = []
    bench.deps.bell.listen_lanes(lambda lane, place: rung.append((lane, place and place.id)))
    await bench.deps.pool.execute("UPDATE queue SET run_at = now() WHERE state = 1")
    assert await promote.run_once() == 1
    assert rung == [("actor", late[0])]
    assert (await bench.row(late[0]))["state"] == 2


async def test_the_promoter_follows_the_next_event_that_is_due(bench: Bench) -> None:
    await bench.post(1, scheduled_for="2999-01-01T00:00:00Z")
    promote = Promote(pool=bench.deps.pool, bell=bench.deps.bell)
    await promote.run_once()
    assert promote.every == promote.longest
    await bench.deps.pool.execute("UPDATE queue SET run_at = now() + interval '0.2 s'")
    await promote.run_once()
    assert promote.shortest <= promote.every <= 0.2


async def test_a_retry_is_delivered_by_the_running_loops(bench: Bench) -> None:
    (posted,) = await bench.post()
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    await bench.finish(engine, failed(event))
    await bench.deps.pool.execute("UPDATE queue SET run_at = now() + interval '0.3 s'")
    async with all_running(bench.deps):
        (again,) = await bench.claim(engine, wait=30)
    assert (again["id"], again["try"]) == (posted, 2)


async def test_the_sweep_gives_engines_the_time_of_a_lease_after_a_break(bench: Bench) -> None:
    await bench.post(2)
    quick, slow = await bench.engine(lease_seconds=2), await bench.engine(lease_seconds=100)
    one = (await bench.claim(quick, 1))[0]["id"]
    two = (await bench.claim(slow, 1))[0]["id"]
    await bench.age(one, two)
    now = [1000.0]
    sweep = Sweep(
        pool=bench.deps.pool, loose=bench.deps.queue.loose, runs=bench.deps.run_finisher, clock=lambda: now[0]
    )
    assert await sweep.run_once() == 0
    now[0] += 1
    assert await sweep.run_once() == 0
    now[0] += 1
    assert await sweep.run_once() == 1
    assert ((await bench.row(one))["state"], (await bench.row(two))["state"]) == (2, 3)
    now[0] += 200
    assert await sweep.run_once() == 0, "two hundred seconds unseen: the database may have been away"
    for _ in range(50):
        now[0] += 4
        if await sweep.run_once():
            break
    assert (now[0], (await bench.row(two))["state"]) == (1302, 2)


async def test_leases_of_runs_are_swept_under_the_runs_lock(bench: Bench) -> None:
    run = await bench.run()
    async with bench.deps.pool.acquire() as conn, conn.transaction():
        rows = [NewRow(ordinal=i, event_type="decide", lane="actor", payload="{}") for i in range(3)]
        ids, *_ = await enqueue_step(conn, run, rows, step=1, last_pass=0, owner="local", max_failures=3, max_losses=10)
        await conn.execute("UPDATE runs SET open = 3, step = 1 WHERE id = $1", run)
        await conn.execute(
            "UPDATE queue SET state = 3, lease_no = 1, claims = 1, engine_id = gen_random_uuid(), "
            "claim_id = gen_random_uuid(), leased_at = now(), lease_until = now() - interval '1 s'"
        )
    now = [0.0]
    sweep = Sweep(
        pool=bench.deps.pool, loose=bench.deps.queue.loose, runs=bench.deps.run_finisher, clock=lambda: now[0]
    )
    async with bench.deps.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM runs WHERE id = $1 FOR UPDATE", run)
        assert await sweep.run_once() == 0, "somebody holds the run: the next sweep sees it"
    assert await sweep.run_once() == 3
    assert {(await bench.row(event_id))["losses"] for event_id in ids} == {1}


async def test_what_ended_long_ago_is_forgotten_and_what_was_paid_for_is_not(bench: Bench) -> None:
    await bench.post(4)
    engine = await bench.engine()
    one, two, three, _ = await bench.claim(engine)
    await bench.finish(engine, back(one))
    (one,) = await bench.claim(engine, 1)
    await bench.finish(engine, done(one), done(two), done(three))
    await bench.deps.pool.execute("UPDATE outcomes SET finished_at = now() - interval '40 days' WHERE event_id <> $1",
                                  three["id"])  # fmt: skip
    async with bench.deps.pool.acquire() as conn:
        await conn.execute("INSERT INTO budgets (owner, limit_usd, spent) VALUES ('local', 1, 0.5)")
        await conn.execute(
            "INSERT INTO calls (event_id, lease_no, call, owner, try_no, state, model, input_bound, max_tokens, "
            "input_price, output_price, reserved, cost, request_hash) "
            "VALUES ($1, 1, 1, 'local', 1, 2, 'm', 1, 1, 1, 1, 0.5, 0.5, 'h')", two["id"],
        )  # fmt: skip
    retention = Retention(pool=bench.deps.pool, days=30)
    assert await retention.run_once() == 2, "two were looked at, and one of them was paid for"
    assert await retention.run_once() == 0, "what stays is not looked at again and again"
    left = {row["id"] for row in await bench.deps.pool.fetch("SELECT id FROM events")}
    assert one["id"] not in left
    assert len(left) == 3


async def test_every_loop_runs_over_an_empty_database(bench: Bench) -> None:
    deps: Deps = bench.deps
    ran = [await loop.run_once() for loop in loops(deps)]
    assert ran == [0] * len(ran)
    names = [loop.name for loop in loops(deps)]
    assert len(set(names)) == len(names) >= 9


async def test_loops_wake_what_waits(bench: Bench) -> None:
    """Losses, hand-backs and redrives ring their lane at once, with their place."""
    await bench.post(2)
    engine = await bench.engine()
    one, two = await bench.claim(engine)
    rung: list[int | None] = []
    bench.deps.bell.listen_lanes(lambda lane, place: rung.append(place and place.id))
    await bench.finish(engine, back(one))
    assert rung == [one["id"]]
    await bench.finish(engine, failed(two, permanent=True))
    await bench.call("POST", f"/events/{two['id']}/retry", None, 200)
    assert rung == [one["id"], two["id"]]
    (again,) = await bench.claim(engine, 1)
    await bench.age(again["id"])
    await bench.deps.queue.loose.sweep([again["id"]])
    assert rung[2] == again["id"]
    await until(lambda: not bench.deps.queue.claimers.parked)
