"""WebSockets beside the server-sent events: the same entries, the same numbers, the same rules of access."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, WebSocket

from pyscrai_api import executions
from pyscrai_api.access import caller
from pyscrai_api.deps import deps
from pyscrai_api.errors import from_exception, problem
from pyscrai_api.routes.runs import SeatQuery, readable
from pyscrai_api.stream.socket import LogSocket

router = APIRouter(prefix="/api/v1")
After = Annotated[int, Query(ge=0, le=2**63 - 1)]


@router.websocket("/runs/{run}/stream")
async def run_stream(websocket: WebSocket, run: str, after: After = 0, seat: SeatQuery = None) -> None:
    """The log of a run, from a number on and then live."""
    shared = deps(websocket)
    try:
        run_id = await readable(shared, caller(websocket), run)
    except Exception as error:
        await _refuse(websocket, error)
    else:
        await _serve(websocket, run_id, after, seat)


@router.websocket("/scenarios/{scenario}/stream")
async def scenario_stream(websocket: WebSocket, scenario: str, after: After = 0, seat: SeatQuery = None) -> None:
    """The log of the caller's latest run of the scenario."""
    shared = deps(websocket)
    try:
        async with shared.pool.acquire() as conn:
            run_id = await executions.latest_run(conn, scenario, caller(websocket).owner)
    except Exception as error:
        await _refuse(websocket, error)
    else:
        await _serve(websocket, run_id, after, seat)


async def _serve(websocket: WebSocket, run_id: UUID, after: int, seat: str | None) -> None:
    await LogSocket(websocket, deps(websocket), run_id=run_id, after=after, seat=seat).serve()


async def _refuse(websocket: WebSocket, error: Exception) -> None:
    """Answer the handshake with the problem that a plain request would get. Raises what nobody foresaw."""
    failure = from_exception(error)
    if failure.code == "internal":
        raise error
    await websocket.send_denial_response(problem(failure))
