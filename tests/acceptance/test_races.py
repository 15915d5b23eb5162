"""Pairs of requests at a barrier, many times: whatever the order, the invariants hold and no run is stuck.

PYSCRAI_RACES sets the rounds of each pair (1000 by default).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from tests.integration.runs.conftest import desk
from tests.integration.runs.desk import Desk, crowd, reply

__all__ = ["desk"]

from pyscrai.contract.events import Finish
from pyscrai.contract.runs import NewRun
from pyscrai_api.errors import Conflict
from pyscrai_api.invariants import broken

ROUNDS = int(os.environ.get("PYSCRAI_RACES", "1000"))
AT_ONCE = 20

Act = Callable[[Desk, UUID, UUID, list[dict[str, Any]]], Awaitable[Any]]


def finish(index: int) -> Act:
    async def act(desk: Desk, run_id: UUID, engine: UUID, events: list[dict[str, Any]]) -> Any:
        event = events[index]
        item = Finish(event_id=event["id"], lease_no=event["lease_no"], status="completed", result=reply(event))
        return await desk.deps.run_finisher.finish(engine, run_id, [item])

    return act


async def pause(desk: Desk, run_id: UUID, engine: UUID, events: list[dict[str, Any]]) -> Any:
    return await tolerant(desk.deps.runs.control.pause(run_id, "a test"))


async def cancel(desk: Desk, run_id: UUID, engine: UUID, events: list[dict[str, Any]]) -> Any:
    return await tolerant(desk.deps.runs.control.cancel(run_id))


async def sweep(desk: Desk, run_id: UUID, engine: UUID, events: list[dict[str, Any]]) -> Any:
    return await desk.deps.run_finisher.sweep_run(run_id, [event["id"] for event in events])


async def tolerant(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except Conflict as error:
        return error


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("first", "second"),
    [(finish(0), finish(1)), (finish(1), pause), (finish(1), cancel), (finish(1), sweep)],
    ids=["two last finishes", "finish x pause", "finish x cancel", "finish x sweep"],
)
async def test_race(desk: Desk, first: Act, second: Act) -> None:
    name = await desk.scenario(crowd(2))
    engine = UUID((await desk.engine("actor"))["id"])
    alone = second.__name__ == "act"
    for start in range(0, ROUNDS, AT_ONCE):
        count = min(AT_ONCE, ROUNDS - start)
        runs = [await desk.deps.runs.start(NewRun(scenario=name), "local") for _ in range(count)]
        ids = [UUID(NewRunId.of(answer.body)) for answer in runs]
        claimed = await desk.claim("actor", 2 * count)
        by_run = {run: [event for event in claimed if event["run_id"] == str(run)] for run in ids}
        assert [len(events) for events in by_run.values()] == [2] * count
        if second is sweep:
            async with desk.deps.pool.acquire() as conn:
                await conn.execute("UPDATE queue SET lease_until = now() - interval '1 s' WHERE state = 3")
        if not alone:
            await asyncio.gather(*[finish(0)(desk, run, engine, by_run[run]) for run in ids])
        barrier = asyncio.Barrier(2 * count)
        await asyncio.gather(
            *[at(barrier, act, desk, run, engine, by_run[run]) for run in ids for act in (first, second)]
        )
        await play_on(desk, ids)
    async with desk.deps.pool.acquire() as conn:
        assert not {name: rows for name, rows in (await broken(conn)).items() if rows}
        stuck = await conn.fetch("SELECT id, status, open FROM runs WHERE status NOT IN ('completed', 'cancelled')")
        assert [dict(row) for row in stuck] == []


class NewRunId:
    """The id in the answer to a new run."""

    @staticmethod
    def of(body: str) -> str:
        import json

        return str(json.loads(body)["id"])


async def at(
    barrier: asyncio.Barrier, act: Act, desk: Desk, run: UUID, engine: UUID, events: list[dict[str, Any]]
) -> None:
    await barrier.wait()
    await act(desk, run, engine, events)


async def play_on(desk: Desk, runs: list[UUID]) -> None:
    """Resume what stands still and finish what is open; nothing may stay behind."""
    from pyscrai.contract.runs import Resume

    for run in runs:
        await tolerant(desk.deps.runs.control.resume(run, Resume()))
    while await desk.work():
        pass
