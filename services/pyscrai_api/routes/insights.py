"""Questions about a run's log and a scenario's happenings: who could know what, patterns, what is going to happen."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query

from pyscrai.contract.insights import Knowledge, Known
from pyscrai.domain.patterns import Patterns
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.timeline import Timeline, timeline
from pyscrai_api.catalog import store as catalog
from pyscrai_api.errors import Invalid
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes.catalog import Version
from pyscrai_api.routes.runs import BIGGEST_SEQ, SeqQuery, readable
from pyscrai_api.routes.shared import Shared, Who
from pyscrai_api.runs import insights

router = APIRouter(prefix="/api/v1", tags=["insights"], route_class=CleanRoute)
PAGE = 1000
MOST_TURNS = 10_000
Number = Annotated[int | None, Query(ge=1, le=BIGGEST_SEQ)]


@router.get("/runs/{run}/knowledge")
async def knowledge(
    run: str,
    shared: Shared,
    who: Who,
    seat: str | None = None,
    at: Number = None,
    turn: Annotated[int | None, Query(ge=0, le=MOST_TURNS)] = None,
    entry: Number = None,
    after: SeqQuery = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> Knowledge | Known:
    """With `seat`: what it could know when the log had `at` lines, or at the end of a `turn` (now, where neither is
    given). With `entry`: who could know of that line of the log, and since when."""
    if (seat is None) == (entry is None):
        raise Invalid("ask for a seat (what it could know) or for an entry (who could know of it)")
    run_id = await readable(shared, who, run)
    async with shared.pool.acquire() as conn:
        if entry is not None:
            return await insights.known(conn, shared.runs.plans, run_id, entry)
        return await insights.knowledge(
            conn, shared.runs.plans, run_id, str(seat), at=at, turn=turn, after=after, limit=limit
        )


@router.get("/runs/{run}/patterns")
async def patterns(run: str, shared: Shared, who: Who) -> Patterns:
    """Where it turned, who answered and moved whom, and metrics of seats over the turns: counted, without a model."""
    run_id = await readable(shared, who, run)
    async with shared.pool.acquire() as conn:
        return await insights.patterns_of(conn, shared.runs.plans, run_id)


@router.get("/scenarios/{name}/timeline")
async def happenings(
    name: str,
    shared: Shared,
    who: Who,
    turns: Annotated[int | None, Query(ge=1, le=MOST_TURNS)] = None,
    seed: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0,
    version: Version = None,
) -> Timeline:
    """What will happen to this scenario's world from outside: certain, drawn by the seed, or possible. Nothing is
    played."""
    async with shared.pool.acquire() as conn:
        pin = await catalog.resolve(conn, "scenarios", name, version, owner=who.owner)
    return timeline(Scenario.model_validate(json.loads(pin.canonical)), seed, turns)
