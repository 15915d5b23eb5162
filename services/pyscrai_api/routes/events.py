"""Events: posting, claiming, reserving, finishing, and correcting (FORMATS §A)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

from fastapi import APIRouter, Body, Query, Request
from pydantic import Field
from starlette.responses import Response

from pyscrai.contract.events import (
    CallRecord,
    Claim,
    Claimed,
    Event,
    Finish,
    FinishAnswer,
    FinishBatch,
    Grant,
    NewEvent,
    ReserveBatch,
)
from pyscrai.contract.operating import DeadDone, DeadFilter
from pyscrai.contract.wire import Page, Wire
from pyscrai_api.access import Caller, acting_engine
from pyscrai_api.deps import Deps
from pyscrai_api.errors import Forbidden, Invalid, NotFound, StaleLease
from pyscrai_api.idempotency import key_of
from pyscrai_api.ids import new_id
from pyscrai_api.light import JsonResponse, light
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.queue.events import Wanted
from pyscrai_api.queue.presence import Client
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1/events", tags=["events"], route_class=CleanRoute)

Count = Annotated[int | None, Query(ge=1, le=500)]
Limit = Annotated[int, Query(ge=1, le=1000)]
BATCH = 5
STATUSES = {"completed": "completed", "failed": "failed", "handed_back": "handed_back"}


class StatusUpdate(Wire):
    """PUT /events/{id}/status. Without `lease_no` the lease that the engine holds now is meant."""

    status: str
    result: dict[str, Any] | None = None
    error: str | None = None
    code: str | None = None
    retry_after: float | None = Field(default=None, ge=0)
    permanent: bool = False
    lease_no: int | None = None
    engine_id: str | None = None
    calls: list[CallRecord] = Field(default=[])


class StatusAnswer(Wire):
    status: Literal["success"] = "success"
    message: str


class Batch(Wire):
    """POST /events with several at once; a bare list is accepted too."""

    events: list[NewEvent] = Field(min_length=1)


def event_id_of(text: str) -> int:
    """Raises NotFound for what cannot be an event's id."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise NotFound(f"there is no event {text[:60]!r}")
    return int(text)


# ── engines ──────────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/queue/{engine_type}", response_model=list[Claimed])
async def poll(
    request: Request,
    engine_type: str,
    shared: Shared,
    who: Who,
    engine_id: str | None = None,
    limit: Count = None,
    max_events: Count = None,
    batch_size: Count = None,
    wait: Annotated[float, Query(ge=0, le=60, description="seconds to hold the request open")] = 0,
    event_types: Annotated[list[str] | None, Query(description="only these; also comma-separated")] = None,
) -> Response:
    """Claim events of a lane. Without `engine_id` and without an engine's token: look at them, locking nothing."""
    most = limit or max_events or batch_size or BATCH
    types = [name for text in event_types for name in text.split(",") if name] if event_types else None
    if engine_id is None and who.engine_id is None:
        return _json(await shared.queue.delivery.peek(engine_type.lower(), most, types, owner=who.owner))
    return await _claim(request, shared, who, engine_id, engine_type, most=most, wait=wait, types=types, claim_id=None)


@router.post("/claim", response_model=list[Claimed])
@light
async def claim(request: Request, wanted: Claim, shared: Shared, who: Who) -> Response:
    """Claim events, holding the request open until there are some. A repeated `claim_id` answers the same."""
    return await _claim(
        request, shared, who, wanted.engine_id, wanted.lane,
        most=wanted.max, wait=wanted.wait, types=wanted.event_types, claim_id=wanted.claim_id, repeat=wanted.repeat,
    )  # fmt: skip


async def _claim(
    request: Request,
    shared: Deps,
    who: Caller,
    named: str | None,
    lane: str | None,
    *,
    most: int,
    wait: float,
    types: list[str] | None,
    claim_id: str | None,
    repeat: int | None = None,
) -> Response:
    queue = shared.queue
    engine_id = await _acting(shared, who, named)
    # Keys go to an engine that has shown that it is that engine, not to whoever names it.
    trusted = who.owner if who.kind == "engine" else None
    repeated = None if claim_id is None else _claim_uuid(engine_id, claim_id)
    engine = await queue.engines.claimants.get(engine_id)
    if lane is not None and lane.lower() not in (engine.lane, engine.engine_type):
        raise Invalid(f"engine {engine_id} is registered for the lane {engine.lane!r}, not for {lane[:60]!r}")
    claim = repeated or new_id()
    if repeated is not None and repeat != 0:
        held = await queue.engines.claimed_before(engine_id, claim)
        if held:
            return _json(await queue.delivery.again(engine_id, claim, held, trusted=trusted))
    offered = engine.types if types is None else frozenset(types) & (engine.types or frozenset(types))
    if engine.draining or offered == frozenset():
        return _json(b"[]")
    with Client(request) as client:
        if engine.paused or queue.pauses.pauses_engine(engine_id):  # it stays, and asks again
            await queue.pauses.until_resumed(engine_id, wait, client.gone)
            return _json(b"[]")
        async with queue.claimers.claim(
            (engine.lane, offered), engine_id=engine_id, claim_id=claim, most=most,
            lease_seconds=engine.lease_seconds, wait=wait, gone=client.gone,
        ) as poll:  # fmt: skip
            if client.gone.done() or not poll.rows:
                return _json(b"[]")
            spent = asyncio.get_running_loop().time() - poll.began
            body = await queue.delivery.answer(engine_id, poll.rows, spent=spent, trusted=trusted)
            # Nothing awaits between this look and the answer's first byte.
            # One of several repeats may go; what another one has got stays with the engine.
            poll.delivered = not client.left() or poll.delivered
            queue.tally.claimed(engine.lane, poll.rows)
            return _json(body)


@router.post("/reserve")
@light
async def reserve(wanted: ReserveBatch, shared: Shared, who: Who) -> list[Grant]:
    """Money for model calls about to be made, in order."""
    return await shared.queue.finishing.reserve(await _acting(shared, who, wanted.engine_id), wanted.calls)


@router.put("/status", response_model=FinishAnswer)
@light
async def finish(wanted: FinishBatch, shared: Shared, who: Who) -> Response:
    """Finish events and settle model calls. `calls` are settled first, whatever the answer about the leases."""
    engine_id = await _acting(shared, who, wanted.engine_id)
    return JsonResponse(await shared.queue.finishing.answer(engine_id, wanted.events, wanted.calls))


@router.put("/{event_id}/status")
async def finish_one(
    event_id: str, update: StatusUpdate, shared: Shared, who: Who, engine_id: str | None = None
) -> StatusAnswer:
    """Finish one event. 409 by any other than the present lease; a repeat of the accepted finish is 200."""
    engine = await _acting(shared, who, engine_id or update.engine_id)
    status = STATUSES.get(update.status.lower())
    if status is None:
        raise Invalid(f"status {update.status[:60]!r}: one of {', '.join(STATUSES)}")
    item = Finish.model_validate(
        {**update.model_dump(exclude={"calls", "engine_id"}), "event_id": event_id_of(event_id), "status": status}
    )
    answer = (await shared.queue.finishing.finish(engine, [item], update.calls, refuse_large=True))[0]
    if answer.state == "unknown":
        raise NotFound(f"there is no event {event_id}")
    if answer.state == "stale":
        raise StaleLease(f"event {event_id}: {answer.detail}")
    if answer.state == "invalid":
        raise Invalid(f"event {event_id}: {answer.detail}")
    return StatusAnswer(message=f"event {event_id} {status}")


# ── people and programs ──────────────────────────────────────────────────────────────────────────────────────────


@router.post("", status_code=201, response_model=Event | list[Event])
@light
async def post(
    request: Request, posted: Annotated[NewEvent | Batch | list[NewEvent], Body()], shared: Shared, who: Who
) -> Response:
    """Enqueue one event, or several. Honours `Idempotency-Key`; an event whose `dedupe_key` is taken is not made."""
    key = None
    if "idempotency-key" in request.headers:
        key = key_of(request, owner=who.owner, route="POST /events", body=await request.body())
    items = [posted] if isinstance(posted, NewEvent) else posted.events if isinstance(posted, Batch) else posted
    answer = await shared.queue.posting.post(who.owner, items, key, many=not isinstance(posted, NewEvent))
    return answer.response()


@router.get("")
async def page(
    shared: Shared,
    who: Who,
    status: str | None = None,
    event_type: str | None = None,
    lane: str | None = None,
    engine_type: str | None = None,
    run_id: UUID | None = None,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Limit = 100,
) -> Page[Event]:
    """Events, the newest first. Of a lane a page may have less than `limit`, also none, and a `next` all the same."""
    in_lane = lane or engine_type
    wanted = Wanted(
        before=after,
        run_id=run_id,
        event_type=event_type,
        lane=None if in_lane is None else in_lane.lower(),
        status=None if status is None else status.lower(),
        limit=limit,
    )
    found, following = await shared.queue.events.page(who.owner, wanted)
    return Page(items=found, next=None if following is None else str(following))


@router.get("/dead")
async def dead(
    shared: Shared,
    who: Who,
    run_id: str | None = None,
    lane: str | None = None,
    event_type: str | None = None,
    code: str | None = None,
    older_than: Annotated[float | None, Query(ge=0)] = None,
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Limit = 100,
    everybody: bool = False,
) -> Page[Event]:
    """Dead letters, the oldest first. A page may have less than `limit`, also none, and a `next` all the same.

    With `everybody` also those of others, for the holder of the installation's token: with `owner` and `code`, and
    without `data`, `result` and `error`.
    """
    wanted = DeadFilter(
        run_id=run_id, lane=lane, event_type=event_type, code=code, older_than=older_than, after=after, limit=limit,
        everybody=everybody,
    )  # fmt: skip
    found, following = await shared.queue.dead.page(_whose(who, wanted), wanted)
    return Page(items=found, next=None if following is None else str(following))


@router.post("/dead/redrive")
async def redrive(shared: Shared, who: Who, wanted: DeadFilter | None = None) -> DeadDone:
    """Dead letters back to work, with further tries. A run that was blocked by them alone goes on."""
    return await shared.queue.dead.many(_whose(who, wanted), wanted or DeadFilter(), "redrive")


@router.post("/dead/discard")
async def discard_many(shared: Shared, who: Who, wanted: DeadFilter) -> DeadDone:
    """Give up dead letters: they count as finished, without a result. A run that was blocked by them alone goes on."""
    return await shared.queue.dead.many(_whose(who, wanted), wanted, "discard")


@router.get("/{event_id}")
async def one(event_id: str, shared: Shared, who: Who) -> Event:
    """One event, with its result where it has one."""
    return await shared.queue.events.get(who.owner, event_id_of(event_id))


@router.post("/{event_id}/retry")
async def retry(event_id: str, shared: Shared, who: Who) -> Event:
    """A dead letter back to work. 409 where it is none."""
    return await shared.queue.dead.one(who.owner, event_id_of(event_id), "redrive")


@router.post("/{event_id}/cancel")
async def cancel(event_id: str, shared: Shared, who: Who) -> Event:
    """End an event without a run. 409 where it is over, or belongs to a run."""
    return await shared.queue.events.cancel(who.owner, event_id_of(event_id))


@router.post("/{event_id}/discard")
async def discard(event_id: str, shared: Shared, who: Who) -> Event:
    """Give up a dead letter: it counts as finished, without a result. 409 where it is none."""
    return await shared.queue.dead.one(who.owner, event_id_of(event_id), "discard")


@router.post("/{event_id}/promote")
async def promote(event_id: str, shared: Shared, who: Who) -> Event:
    """A scheduled event is ready now, before its time. 409 where it is not scheduled."""
    return await shared.queue.events.promote(who.owner, event_id_of(event_id))


def _whose(who: Caller, wanted: DeadFilter | None) -> str | None:
    """The owner whose dead letters are meant; None: everybody's. Raises Forbidden."""
    if wanted is None or not wanted.everybody:
        return who.owner
    if not who.admin:
        raise Forbidden("only the holder of the installation's token sees and deals with the dead letters of others")
    return None


async def _acting(shared: Deps, who: Caller, named: str | None) -> UUID:
    """The engine that acts. Raises NotFound where it is somebody else's, and as `acting_engine`."""
    engine_id = acting_engine(who, named)
    if who.kind == "user" and not who.admin:
        await shared.queue.engines.own(engine_id, who.owner)
    return engine_id


def _claim_uuid(engine_id: UUID, text: str) -> UUID:
    """A claim's id; clients may name their claims as they like."""
    try:
        return UUID(text)
    except ValueError:
        return uuid5(engine_id, text)


def _json(body: bytes) -> Response:
    return JsonResponse(body, kept=False)
