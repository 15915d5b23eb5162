"""Runs beside each other: the family of branches, two logs line by line, several runs turn by turn."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from pyscrai.contract.branches import Family
from pyscrai.contract.comparisons import Comparison, Difference
from pyscrai_api.access import Caller
from pyscrai_api.deps import Deps
from pyscrai_api.errors import Invalid
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes.runs import readable
from pyscrai_api.routes.shared import Shared, Who
from pyscrai_api.runs import comparing
from pyscrai_api.runs.families import family

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=CleanRoute)
MOST_TURNS = 100
AfterTurn = Annotated[int, Query(ge=0, le=10_000, description="only turns after this one")]
Turns = Annotated[int, Query(ge=1, le=MOST_TURNS, description="how many turns, at most")]


@router.get("/runs/{run}/tree")
async def tree(run: str, shared: Shared, who: Who) -> Family:
    """The run that this one comes from in the end, and all branches of that, with what was changed in each."""
    run_id = await readable(shared, who, run)
    async with shared.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        return await family(conn, run_id, who.owner)


@router.get("/runs/{run}/diff")
async def diff(
    run: str, other: str, shared: Shared, who: Who, after: AfterTurn = 0, turns: Turns = MOST_TURNS
) -> Difference:
    """Where two runs part, and what differs from turn to turn."""
    one, two = await readable(shared, who, run), await readable(shared, who, other)
    async with shared.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        return await comparing.difference(conn, shared.runs.plans, one, two, after, turns)


@router.get("/runs/{run}/compare")
async def compare(
    run: str,
    other: Annotated[list[str], Query(description="runs, repeated or separated by commas")],
    shared: Shared,
    who: Who,
    after: AfterTurn = 0,
    turns: Turns = MOST_TURNS,
) -> Comparison:
    """2 to 20 runs turn by turn, held against the first one: metrics, moves of seats, facts, coalitions, cost."""
    run_ids = await _all_of(shared, who, [run, *(name for part in other for name in part.split(",") if name.strip())])
    async with shared.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        return await comparing.compare(conn, shared.runs.plans, run_ids, after, turns)


async def _all_of(shared: Deps, who: Caller, names: list[str]) -> list[UUID]:
    """Raises NotFound, and Invalid for fewer than two runs, too many, or one that is named twice."""
    if not 2 <= len(names) <= comparing.MOST_RUNS:
        raise Invalid(f"2 to {comparing.MOST_RUNS} runs can be compared; these are {len(names)}")
    found = [await readable(shared, who, name.strip()) for name in names]
    if len(set(found)) != len(found):
        raise Invalid("a run cannot be compared with itself: one is named twice")
    return found
