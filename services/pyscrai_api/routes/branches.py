"""What is done to the course of a run: injected events, and branches that go on otherwise."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pyscrai.contract.branches import BoundaryShown, NewBranch
from pyscrai.contract.inputs import NewInput, WaitingInput
from pyscrai.contract.wire import Page
from pyscrai_api.idempotency import key_of
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes.runs import own_run, readable
from pyscrai_api.routes.shared import Shared, Who
from pyscrai_api.runs import inputs
from pyscrai_api.runs.boundaries import read_boundaries

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=CleanRoute)


@router.post("/runs/{run}/inputs", status_code=201, response_model=WaitingInput)
async def tell(request: Request, run: str, wanted: NewInput, shared: Shared, who: Who) -> Response:
    """Put something said, an edit of the world or a measured value into a run. It enters the log with the step that is
    open, or when a run that stands still goes on; a run that is over takes nothing (409)."""
    run_id = await own_run(shared, who, run)
    key = key_of(request, owner=who.owner, route=f"POST /runs/{run_id}/inputs", body=await request.body())
    return (await shared.runs.tell(run_id, wanted.injected(), who.owner, key)).response()


@router.get("/runs/{run}/inputs")
async def waiting(run: str, shared: Shared, who: Who) -> Page[WaitingInput]:
    """What was put into a run and has not entered its log yet, oldest first; for its owner only."""
    run_id = await own_run(shared, who, run)
    async with shared.pool.acquire() as conn:
        return Page(items=await inputs.waiting(conn, run_id))


@router.get("/runs/{run}/boundaries")
async def boundaries(run: str, shared: Shared, who: Who) -> Page[BoundaryShown]:
    """Every place at which the run may be branched, in order."""
    run_id = await readable(shared, who, run)
    async with shared.pool.acquire() as conn:
        found = await read_boundaries(conn, run_id)
    return Page(items=[BoundaryShown(seq=one.seq, turn=one.turn, phase=one.phase) for one in found])


@router.post("/runs/{run}/branch", status_code=201)
async def branch(request: Request, run: str, wanted: NewBranch, shared: Shared, who: Who) -> Response:
    """A new run that shares the story of this one up to a step boundary and goes on from there, with what is changed.
    It begins at once, whatever this one does, and pays only for what comes after."""
    run_id = await own_run(shared, who, run)
    key = key_of(request, owner=who.owner, route=f"POST /runs/{run_id}/branch", body=await request.body())
    return (await shared.runs.branch(run_id, wanted, who.owner, key)).response()
