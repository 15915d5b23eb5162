"""Runs: start, list, look, control, follow."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import JSONResponse

from pyscrai.contract.calls import ModelCall
from pyscrai.contract.runs import ChangeRun, Delivered, NewReplay, NewRun, Resume, Run, RunStatus, Snapshot
from pyscrai.contract.wire import Page
from pyscrai_api.access import Caller
from pyscrai_api.deps import Deps
from pyscrai_api.errors import Forbidden, Invalid, NotFound
from pyscrai_api.idempotency import key_of
from pyscrai_api.people.pools import check_pool
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes.shared import Shared, Who
from pyscrai_api.runs import reading
from pyscrai_api.runs.calls import read_calls
from pyscrai_api.runs.documents import read_document
from pyscrai_api.runs.entries import read_log, seen_by
from pyscrai_api.stream.sse import LogStream

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=CleanRoute)
LOG_PAGE = 1000
BIGGEST_SEQ = 2**63 - 1
CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+", re.ASCII)
CALLS_PAGE = 100

SeqQuery = Annotated[int, Query(ge=0, le=BIGGEST_SEQ)]
SeatQuery = Annotated[str | None, Query(description="read as this seat: only what it may know")]
AtQuery = Annotated[
    str | None, Query(max_length=40, description="as of an earlier time: a number of the log, or `turn:N`")
]


async def readable(shared: Deps, who: Caller, wanted: str) -> UUID:
    """A run that the caller may read, from its id or serial number. Raises NotFound."""
    async with shared.pool.acquire() as conn:
        run_id = await reading.run_id_of(conn, wanted)
        row = await conn.fetchrow("SELECT owner, visibility FROM runs WHERE id = $1", run_id)
    if row is None or (row["owner"] != who.owner and row["visibility"] != "shared"):
        raise NotFound(f"there is no run {wanted}")
    return run_id


async def own_run(shared: Deps, who: Caller, wanted: str) -> UUID:
    """A run that the caller may change. Raises NotFound, Forbidden."""
    run_id = await readable(shared, who, wanted)
    async with shared.pool.acquire() as conn:
        if await conn.fetchval("SELECT owner FROM runs WHERE id = $1", run_id) != who.owner:
            raise Forbidden("this run belongs to somebody else; you may read it")
    return run_id


async def _shown(shared: Deps, run_id: UUID) -> Run:
    async with shared.pool.acquire() as conn:
        return await reading.read_run(conn, run_id)


@router.post("/runs", status_code=201)
async def start(request: Request, wanted: NewRun, shared: Shared, who: Who) -> Response:
    """Start a run. It begins at once; follow it at `/runs/{id}/stream`."""

    key = key_of(request, owner=who.owner, route="POST /runs", body=await request.body())
    return (await shared.runs.start(wanted, who.owner, key)).response()


@router.get("/runs")
async def page(
    shared: Shared,
    who: Who,
    scenario: str | None = None,
    status: RunStatus | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[Run]:
    """The caller's runs, newest first."""
    async with shared.pool.acquire() as conn:
        return await reading.list_runs(conn, who.owner, scenario=scenario, status=status, after=after, limit=limit)


@router.get("/runs/{run}")
async def one(run: str, shared: Shared, who: Who) -> Run:
    """One run, by id or serial number."""
    return await _shown(shared, await readable(shared, who, run))


@router.patch("/runs/{run}")
async def change(run: str, wanted: ChangeRun, shared: Shared, who: Who) -> Run:
    """A new limit, title or labels. A run that had run out of money goes on when its limit is raised."""
    run_id = await own_run(shared, who, run)
    await shared.runs.control.change(run_id, wanted)
    return await _shown(shared, run_id)


@router.post("/runs/{run}/pause")
async def pause(run: str, shared: Shared, who: Who) -> Run:
    """Let calls in flight finish, and start no new ones."""
    run_id = await own_run(shared, who, run)
    await shared.runs.control.pause(run_id, who.owner)
    return await _shown(shared, run_id)


@router.post("/runs/{run}/resume")
async def resume(run: str, shared: Shared, who: Who, wanted: Resume | None = None) -> Run:
    """Go on, perhaps with another limit or on another pool. Dead letters get another chance."""
    run_id = await own_run(shared, who, run)
    check_pool(who.owner, wanted.pool if wanted else None)
    await shared.runs.control.resume(run_id, wanted or Resume())
    return await _shown(shared, run_id)


@router.post("/runs/{run}/cancel")
async def cancel(run: str, shared: Shared, who: Who) -> Run:
    """End the run now."""
    run_id = await own_run(shared, who, run)
    await shared.runs.control.cancel(run_id)
    return await _shown(shared, run_id)


@router.post("/runs/{run}/replay", status_code=201)
async def replay(request: Request, run: str, shared: Shared, who: Who, wanted: NewReplay | None = None) -> Response:
    """Play a run again with the answers that were recorded: no model is asked, and it costs nothing. Under the same
    versions and choices it ends with the same digest; where it asks something else, it stops and shows what."""
    run_id = await own_run(shared, who, run)
    key = key_of(request, owner=who.owner, route=f"POST /runs/{run_id}/replay", body=await request.body())
    return (await shared.runs.replay(run_id, wanted or NewReplay(), who.owner, key)).response()


@router.get("/runs/{run}/snapshot")
async def snapshot(run: str, shared: Shared, who: Who, seat: SeatQuery = None, at: AtQuery = None) -> Snapshot:
    """Scenario, runtime choices and the state folded from the log; for a seat, only what it may know."""
    run_id = await readable(shared, who, run)
    return await shared.runs.snapshot(run_id, seat, at)


@router.get("/runs/{run}/log")
async def read(
    run: str,
    shared: Shared,
    who: Who,
    after: SeqQuery = 0,
    limit: Annotated[int, Query(ge=1, le=LOG_PAGE)] = LOG_PAGE,
    seat: SeatQuery = None,
) -> Page[Delivered]:
    """The log after a number; `next` is the number to go on from."""
    run_id = await readable(shared, who, run)
    async with shared.pool.acquire() as conn:
        entries = await read_log(conn, run_id, after, limit)
    following = str(entries[-1].seq) if len(entries) == limit else None
    return Page(items=seen_by(entries, seat), next=following)


@router.get("/runs/{run}/calls")
async def calls(
    run: str,
    shared: Shared,
    who: Who,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=CALLS_PAGE)] = CALLS_PAGE,
) -> Page[ModelCall]:
    """The run's model calls by their place in it, with requests and answers; for its owner only, because they tell
    what every seat keeps to itself. `next` is the place to go on from."""
    run_id = await own_run(shared, who, run)
    async with shared.pool.acquire() as conn:
        return await read_calls(conn, run_id, after, limit)


@router.get("/runs/{run}/stream", response_class=JSONResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def stream(
    run: str,
    shared: Shared,
    who: Who,
    after: SeqQuery = 0,
    seat: SeatQuery = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The log as server-sent events, from a number on and then live; resume with Last-Event-ID."""
    run_id = await readable(shared, who, run)
    if last_event_id is not None:
        if not (last_event_id.isdecimal() and len(last_event_id) < 19):
            raise Invalid(f"Last-Event-ID is not a log number: {last_event_id[:60]}")
        after = int(last_event_id)
    return LogStream(shared.hub, shared.pool, shared.stopping, run_id=run_id, after=after, seat=seat)


@router.get("/runs/{run}/documents/{document}", response_class=Response)
async def document(run: str, document: str, shared: Shared, who: Who) -> Response:
    """A document that a tool brought, by the id that the log shows. Never shown as a page: it is what a model wrote."""
    run_id = await readable(shared, who, run)
    async with shared.pool.acquire() as conn:
        found = await read_document(conn, run_id, document)
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff", "ETag": f'"{found.id}"'}
    kind = found.content_type if CONTENT_TYPE.fullmatch(found.content_type) else "application/octet-stream"
    return Response(found.content, media_type=kind, headers=headers)
