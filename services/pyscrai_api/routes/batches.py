"""Sweeps: many runs of one scenario with varied choices."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from pyscrai.contract.batches import Batch, BatchResults, NewBatch, ResumeBatch
from pyscrai.contract.wire import Page
from pyscrai_api.access import Caller
from pyscrai_api.batches import reading
from pyscrai_api.deps import Deps
from pyscrai_api.idempotency import key_of
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1/batches", tags=["batches"], route_class=CleanRoute)


async def _own(shared: Deps, who: Caller, wanted: str) -> UUID:
    async with shared.pool.acquire() as conn:
        return await reading.find(conn, who.owner, wanted)


@router.post("", status_code=201)
async def create(request: Request, wanted: NewBatch, shared: Shared, who: Who) -> Response:
    """Post a sweep; its runs begin one by one. The same one again is answered with 200 and what there is of it."""
    key = key_of(request, owner=who.owner, route="POST /batches", body=await request.body())
    return (await shared.batches.create(wanted, who.owner, who.admin, key)).response()


@router.get("")
async def page(
    shared: Shared, who: Who, after: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Page[Batch]:
    """The caller's sweeps, newest first."""
    async with shared.pool.acquire() as conn:
        return await reading.page(conn, who.owner, after, limit)


@router.get("/{batch}")
async def one(batch: str, shared: Shared, who: Who) -> Batch:
    """How far a sweep is, by id or name."""
    batch_id = await _own(shared, who, batch)
    async with shared.pool.acquire() as conn:
        return await reading.read(conn, batch_id)


@router.get("/{batch}/results")
async def results(batch: str, shared: Shared, who: Who) -> BatchResults:
    """Every run as a row, and each variation with distributions and intervals; also while it plays."""
    return await shared.batches.results(await _own(shared, who, batch))


@router.post("/{batch}/pause")
async def pause(batch: str, shared: Shared, who: Who) -> Batch:
    """Start no more runs, and pause those that play."""
    return await shared.batches.pause(await _own(shared, who, batch), who.owner)


@router.post("/{batch}/resume")
async def resume(batch: str, shared: Shared, who: Who, wanted: ResumeBatch | None = None) -> Batch:
    """Go on, perhaps with another budget or on another pool. Finished runs are never repeated."""
    batch_id = await _own(shared, who, batch)
    return await shared.batches.resume(batch_id, wanted or ResumeBatch(), who.owner, who.admin)


@router.post("/{batch}/cancel")
async def cancel(batch: str, shared: Shared, who: Who) -> Batch:
    """End it now, with all its runs."""
    return await shared.batches.cancel(await _own(shared, who, batch))
