"""Playing a scenario by its name (seed 002): execute, status, pause, resume, and its stream."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import JSONResponse, Response

from pyscrai.contract.runs import Resume
from pyscrai.contract.scenarios import Execute, Execution, ExecutionStatus
from pyscrai_api import executions
from pyscrai_api.idempotency import key_of
from pyscrai_api.people.pools import check_pool
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes import runs
from pyscrai_api.routes.runs import SeatQuery
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1/scenarios/{scenario}", tags=["scenarios"], route_class=CleanRoute)


@router.post("/execute", status_code=202, response_model=Execution)
async def execute(request: Request, scenario: str, shared: Shared, who: Who, wanted: Execute | None = None) -> Response:
    """Start a run of the scenario. It begins at once."""
    key = key_of(request, owner=who.owner, route=f"POST /scenarios/{scenario}/execute", body=await request.body())
    return (await executions.execute(shared.runs, scenario, wanted or Execute(), who.owner, key)).response()


@router.get("/status")
async def status(scenario: str, shared: Shared, who: Who) -> ExecutionStatus:
    """How the caller's latest run of the scenario stands. 404 if there is none."""
    async with shared.pool.acquire() as conn:
        return await executions.status(conn, await executions.latest_run(conn, scenario, who.owner))


@router.post("/pause")
async def pause(scenario: str, shared: Shared, who: Who) -> ExecutionStatus:
    """Let calls in flight finish, and start no new ones."""
    async with shared.pool.acquire() as conn:
        run_id = await executions.latest_run(conn, scenario, who.owner)
    await shared.runs.control.pause(run_id, who.owner)
    async with shared.pool.acquire() as conn:
        return await executions.status(conn, run_id)


@router.post("/resume")
async def resume(scenario: str, shared: Shared, who: Who, wanted: Resume | None = None) -> ExecutionStatus:
    """Go on, perhaps with another limit or other models."""
    async with shared.pool.acquire() as conn:
        run_id = await executions.latest_run(conn, scenario, who.owner)
    check_pool(who.owner, wanted.pool if wanted else None)
    await shared.runs.control.resume(run_id, wanted or Resume())
    async with shared.pool.acquire() as conn:
        return await executions.status(conn, run_id)


@router.get("/stream", response_class=JSONResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def stream(
    scenario: str,
    shared: Shared,
    who: Who,
    after: Annotated[int, Query(ge=0)] = 0,
    seat: SeatQuery = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The log of the caller's latest run of the scenario as server-sent events; also a WebSocket."""
    async with shared.pool.acquire() as conn:
        run_id = await executions.latest_run(conn, scenario, who.owner)
    return await runs.stream(str(run_id), shared, who, after, seat, last_event_id)
