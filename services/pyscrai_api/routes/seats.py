"""People at seats: the inbox, a seat's page, drafts, moves, approvals, seats that change hands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from pyscrai.contract.inputs import WaitingInput
from pyscrai.contract.seats import (
    Asked,
    Draft,
    Move,
    Moved,
    ReleaseSeat,
    SavedDraft,
    SeatPage,
    SendBack,
    TakeSeat,
    Whisper,
)
from pyscrai.contract.wire import Page
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes.runs import own_run
from pyscrai_api.routes.shared import Shared, Who
from pyscrai_api.seats.finding import run_that_asks

router = APIRouter(prefix="/api/v1", tags=["seats"], route_class=CleanRoute)
SEAT = "/runs/{run}/seats/{seat}"


@router.get("/inbox")
async def inbox(
    shared: Shared,
    who: Who,
    run: str | None = None,
    seat: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> Page[Asked]:
    """What the caller's runs ask of people: a move of a seat, or a look at what its model proposes."""
    run_id = None if run is None else await own_run(shared, who, run)
    return await shared.runs.seats.inbox(who.owner, run_id=run_id, seat=seat, after=after, limit=limit)


@router.get(SEAT)
async def page(run: str, seat: str, shared: Shared, who: Who) -> SeatPage:
    """A seat by name or title: what it may know, and where a person is asked, the form by JSON Schema, the draft, the
    proposal, the deadline."""
    return await shared.runs.seats.page(await own_run(shared, who, run), seat)


@router.put(SEAT + "/draft")
async def draft(run: str, seat: str, wanted: Draft, shared: Shared, who: Who) -> SavedDraft:
    """Keep what has been typed so far. 409 with the winner where it is too late."""
    return await shared.runs.seats.moves.draft(await own_run(shared, who, run), seat, wanted, who.owner)


@router.post(SEAT + "/move")
@router.post(SEAT + "/decide")
@router.post("/runs/{run}/actors/{seat}/decide")
async def move(run: str, seat: str, wanted: Move, shared: Shared, who: Who) -> Moved:
    """What the seat does. A repeat is answered the same; whoever comes too late gets 409 and learns who was faster;
    422 says with JSON Pointers what does not fit the form."""
    return await shared.runs.seats.moves.move(await own_run(shared, who, run), seat, wanted, who.owner)


@router.post("/actors/{seat}/decide")
async def decide(seat: str, wanted: Move, shared: Shared, who: Who) -> Moved:
    """The same, where only one of the caller's runs waits for a seat of this name."""
    async with shared.pool.acquire() as conn:
        run_id = await run_that_asks(conn, who.owner, seat)
    return await shared.runs.seats.moves.move(run_id, seat, wanted, who.owner)


@router.post(SEAT + "/return")
async def send_back(run: str, seat: str, wanted: SendBack, shared: Shared, who: Who) -> SeatPage:
    """Have the model propose again, with a remark."""
    run_id = await own_run(shared, who, run)
    await shared.runs.seats.moves.send_back(run_id, seat, wanted, who.owner)
    return await shared.runs.seats.page(run_id, seat)


@router.post(SEAT + "/take")
async def take(run: str, seat: str, shared: Shared, who: Who, wanted: TakeSeat | None = None) -> SeatPage:
    """A person plays the seat from now on; what its model has open is asked of them."""
    run_id = await own_run(shared, who, run)
    await shared.runs.seats.changing.take(run_id, seat, wanted or TakeSeat(), who.owner)
    return await shared.runs.seats.page(run_id, seat)


@router.post(SEAT + "/release")
async def release(run: str, seat: str, shared: Shared, who: Who, wanted: ReleaseSeat | None = None) -> SeatPage:
    """A model plays the seat from now on."""
    run_id = await own_run(shared, who, run)
    await shared.runs.seats.changing.release(run_id, seat, wanted or ReleaseSeat(), who.owner)
    return await shared.runs.seats.page(run_id, seat)


@router.post(SEAT + "/whisper", status_code=202)
async def whisper(run: str, seat: str, wanted: Whisper, shared: Shared, who: Who) -> WaitingInput:
    """Tell one seat something that nobody else at the table learns; it enters with the run's next step."""
    run_id = await own_run(shared, who, run)
    return await shared.runs.seats.whisper(run_id, seat, wanted.text, who.owner)
