"""Two tabs, the deadline and a take-over race for one seat, many times: one wins, the others learn who it was.

PYSCRAI_RACES sets the rounds of each race (1000 by default).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from tests.acceptance.test_races import AT_ONCE, ROUNDS, NewRunId, desk
from tests.integration.runs.desk import Desk, crowd, reply

from pyscrai.contract.events import Finish
from pyscrai.contract.runs import NewRun
from pyscrai.contract.seats import Move, ReleaseSeat, TakeSeat
from pyscrai.domain.choices import Choices, SeatChoice
from pyscrai_api.errors import Conflict
from pyscrai_api.invariants import broken

__all__ = ["desk"]

HEAD_STARTS = 5
Act = Callable[[Desk, UUID, dict[str, Any]], Awaitable[str | None]]
"""What somebody does with a run and its event; returns the name of who won, where it was them."""


def tab(name: str) -> Act:
    async def act(desk: Desk, run: UUID, event: dict[str, Any]) -> str | None:
        move = Move(value={"action": name}, event_id=event["id"], lease_no=event["lease_no"])
        return await won(name, desk.deps.runs.seats.moves.move(run, "s000", move, name))

    return act


async def deadline(desk: Desk, run: UUID, event: dict[str, Any]) -> str | None:
    await desk.deps.runs.seats.deadlines.pass_of(run, [event["id"]])
    return None


async def release(desk: Desk, run: UUID, event: dict[str, Any]) -> str | None:
    return await won(None, desk.deps.runs.seats.changing.release(run, "s000", ReleaseSeat(), "release"))


async def take(desk: Desk, run: UUID, event: dict[str, Any]) -> str | None:
    return await won(None, desk.deps.runs.seats.changing.take(run, "s000", TakeSeat(), "take"))


async def cancel(desk: Desk, run: UUID, event: dict[str, Any]) -> str | None:
    return await won(None, desk.deps.runs.control.cancel(run))


async def finish(desk: Desk, run: UUID, event: dict[str, Any]) -> str | None:
    engine = UUID((await desk.engine("actor"))["id"])
    item = Finish(event_id=event["id"], lease_no=event["lease_no"], status="completed", result=reply(event))
    (answer,) = await desk.deps.run_finisher.finish(engine, run, [item])
    return "engine" if answer.state == "done" else None


async def won(name: str | None, work: Awaitable[Any]) -> str | None:
    try:
        await work
    except Conflict:
        return None
    return name


@pytest.mark.timeout(600)
async def test_tabs_deadline_release_and_cancel_race_for_a_persons_move(desk: Desk) -> None:
    wins = await race(desk, [tab("one"), tab("two"), deadline, release, cancel], {"human": True})
    assert len(wins) > 2, f"it was a race only where several win now and then: {wins}"


@pytest.mark.timeout(600)
async def test_a_take_over_and_tabs_race_an_engines_finish(desk: Desk) -> None:
    wins = await race(desk, [finish, take, tab("one"), deadline], {})
    assert "engine" in wins


async def race(desk: Desk, acts: list[Act], choice: dict[str, Any]) -> Counter[str]:
    name = await desk.scenario(crowd(1))
    seat = SeatChoice.model_validate({**choice, "deadline": 60, "on_deadline": "skip"})
    choices = Choices(seats={"s000": seat})
    wins: Counter[str] = Counter()
    for start in range(0, ROUNDS, AT_ONCE):
        count = min(AT_ONCE, ROUNDS - start)
        wanted = NewRun(scenario=name, choices=choices)
        made = await asyncio.gather(*[desk.deps.runs.start(wanted, "local") for _ in range(count)])
        runs = [UUID(NewRunId.of(answer.body)) for answer in made]
        events = await asked(desk, runs, claim=not choice)
        barrier = asyncio.Barrier(count * len(acts))
        found = await asyncio.gather(
            *[
                at(barrier, act, desk, run, events[run], (start + 5 * place + 3 * turn) % HEAD_STARTS)
                for place, run in enumerate(runs)
                for turn, act in enumerate(acts)
            ]
        )
        winners = [
            [one for one in found[place * len(acts) : (place + 1) * len(acts)] if one is not None]
            for place in range(count)
        ]
        wins += Counter(
            await asyncio.gather(*[ending(desk, events[run]["id"], of) for run, of in zip(runs, winners, strict=True)])
        )
        await play_on(desk, runs)
    async with desk.deps.pool.acquire() as conn:
        assert not {name: rows for name, rows in (await broken(conn)).items() if rows}
        stuck = await conn.fetch("SELECT id, status FROM runs WHERE status NOT IN ('completed', 'cancelled')")
        assert [dict(row) for row in stuck] == []
    return wins


async def asked(desk: Desk, runs: list[UUID], *, claim: bool) -> dict[UUID, dict[str, Any]]:
    """By run: its one event, leased or waiting for a person whose deadline is over."""
    if claim:
        return {UUID(event["run_id"]): event for event in await desk.claim("actor", len(runs))}
    async with desk.deps.pool.acquire() as conn:
        await conn.execute("UPDATE inbox SET deadline = now() - interval '1 s' WHERE ended IS NULL")
        rows = await conn.fetch("SELECT id, run_id, lease_no FROM queue WHERE run_id = ANY($1)", runs)
    return {row["run_id"]: dict(row) for row in rows}


async def ending(desk: Desk, event_id: int, winners: list[str]) -> str:
    """How the event was over, which must be what its winner was told; the outcome that is kept is the winner's."""
    async with desk.deps.pool.acquire() as conn:
        row = await conn.fetchrow(
            "SELECT o.state, o.result, o.engine_id FROM outcomes o WHERE o.event_id = $1", event_id
        )
    if row is None or row["state"] != 1:
        assert not winners, f"{winners} won, and nothing is kept of it"
        return "nobody" if row is None else f"state {row['state']}"
    said = "engine" if row["engine_id"] else json.loads(row["result"])["action"]
    assert winners == [said], f"{winners} all won what {said} said"
    return str(said)


async def at(barrier: asyncio.Barrier, act: Act, desk: Desk, run: UUID, event: dict[str, Any], late: int) -> str | None:
    """`late`: how many questions to the database everybody else is ahead, so that not always the shortest way wins."""
    await barrier.wait()
    for _ in range(late):
        await desk.deps.pool.fetchval("SELECT 1")
    return await act(desk, run, event)


async def play_on(desk: Desk, runs: list[UUID]) -> None:
    """Whoever sits there, the run comes to its end."""
    changing = desk.deps.runs.seats.changing
    await asyncio.gather(*[won(None, changing.release(run, "s000", ReleaseSeat(), "the end")) for run in runs])
    while await desk.work():
        pass
