"""The bell: other processes hear it, its own does not hear it twice, and it comes back after the server was away."""

from __future__ import annotations

from uuid import uuid4

import asyncpg
import structlog
from tests.integration.queue.bench import until

from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.store import Place


async def test_rings_reach_other_processes_once(dsn: str) -> None:
    ours, theirs = Bell(dsn), Bell(dsn)
    here: list[object] = []
    there: list[object] = []
    ours.listen_lanes(lambda *ring: here.append(ring))
    theirs.listen_lanes(lambda *ring: there.append(ring))
    theirs.listen_runs(there.append)
    async with ours.running(), theirs.running():
        await ours.connected.wait()
        await theirs.connected.wait()
        ours.ring_lane("actor", Place(4, 9, 12))
        ours.ring_lane("actor", Place(4, 7, 13))
        assert here == [("actor", Place(4, 9, 12)), ("actor", Place(4, 7, 13))], "here at once"
        await until(lambda: there)
        assert there == [("actor", Place(4, 7, 13))], "there together, with the first place"
        ours.ring_lane("narrator")
        run = uuid4()
        ours.ring_run(run)
        await until(lambda: len(there) == 3)
        assert there[1:] == [("narrator", None), run]
    assert len(here) == 3


async def test_a_listener_can_stop(dsn: str) -> None:
    bell = Bell(dsn)
    heard: list[object] = []
    stop = bell.listen_runs(heard.append)
    bell.ring_run(uuid4())
    stop()
    bell.ring_run(uuid4())
    assert len(heard) == 1


async def test_the_bell_comes_back_after_its_connection_was_cut(dsn: str) -> None:
    ours, theirs = Bell(dsn), Bell(dsn)
    heard: list[str] = []
    theirs.listen_lanes(lambda lane, _: heard.append(lane))
    async with ours.running(), theirs.running():
        await ours.connected.wait()
        await theirs.connected.wait()
        connection = await asyncpg.connect(dsn)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await until(lambda: not ours.connected.is_set() and not theirs.connected.is_set())
        ours.ring_lane("lost")  # nobody can hear it; whoever waits looks by itself
        await ours.connected.wait()
        await theirs.connected.wait()
        ours.ring_lane("actor")
        await until(lambda: heard)
        assert heard == ["actor"]
        await connection.close()


async def test_without_a_server_it_still_rings_here(dsn: str) -> None:
    bell = Bell("postgresql://nobody@127.0.0.1:1/none")
    heard: list[str] = []
    bell.listen_lanes(lambda lane, _: heard.append(lane))
    with structlog.testing.capture_logs() as lines:
        async with bell.running():
            bell.ring_lane("actor")
            await until(lambda: lines)
    assert heard == ["actor"]
    assert [line["event"] for line in lines] == ["bell_not_connected"]
