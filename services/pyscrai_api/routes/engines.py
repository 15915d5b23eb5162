"""Engines: registering, heartbeats, who is there (FORMATS §A)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from pyscrai.contract import MIN_PROTOCOL, PROTOCOL
from pyscrai.contract.engines import EngineInstance, Heartbeat, HeartbeatAnswer, Registered, RegisterEngine
from pyscrai_api.access import Caller
from pyscrai_api.deps import Deps
from pyscrai_api.errors import NotFound
from pyscrai_api.light import light
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1/engine-instances", tags=["engines"], route_class=CleanRoute)


def engine_id_of(text: str) -> UUID:
    """Raises NotFound for what cannot be an engine's id."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"there is no engine {text[:60]!r}; register first") from None


async def own_engine(text: str, shared: Deps, who: Caller) -> UUID:
    """An engine that the caller may speak for: its own, or any for the holder of the installation's token."""
    engine_id = engine_id_of(text)
    if who.kind == "user" and not who.admin:
        await shared.queue.engines.own(engine_id, who.owner)
    return engine_id


@router.post("", status_code=201)
async def register(wanted: RegisterEngine, shared: Shared, who: Who) -> Registered:
    """Become an engine. The token in the answer is good for this engine's own routes, and is shown only here."""
    engine, token = await shared.queue.engines.register(wanted, who.owner)
    return Registered(**engine.model_dump(), token=token, protocol=PROTOCOL, min_protocol=MIN_PROTOCOL)


@router.get("")
async def page(
    shared: Shared,
    who: Who,
    engine_type: str | None = None,
    status: str | None = None,
    lane: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[EngineInstance]:
    """The caller's engines and those that work for everybody, in the order of their registration; without `status`,
    those that live."""
    return await shared.queue.engines.page(
        who.owner,
        engine_type=None if engine_type is None else engine_type.lower(),
        status=None if status is None else status.lower(),
        lane=None if lane is None else lane.lower(),
        limit=limit,
    )


@router.get("/health")
async def health(shared: Shared, who: Who) -> dict[str, Any]:
    """How many engines of each lane live."""
    return {"status": "ok", "lanes": await shared.queue.engines.health(who.owner)}


@router.get("/{engine_id}")
async def one(engine_id: str, shared: Shared, who: Who) -> EngineInstance:
    """One engine; also one that is gone."""
    return await shared.queue.engines.get(engine_id_of(engine_id), who.owner)


@router.put("/{engine_id}/heartbeat")
@light
async def heartbeat(engine_id: str, beat: Heartbeat, shared: Shared, who: Who) -> HeartbeatAnswer:
    """Renew the leases that are listed, or all where none are. 404: register again."""
    wanted = await own_engine(engine_id, shared, who)
    done = await shared.queue.engines.beat(wanted, beat)
    await shared.queue.finishing.hand_back(wanted, done.unlisted)
    return HeartbeatAnswer(
        **done.engine.model_dump(),
        renewed=done.renewed,
        lost=done.lost,
        cancel=done.cancel,
        drain=done.engine.status == "draining",
    )


@router.delete("/{engine_id}", status_code=204)
async def leave(engine_id: str, shared: Shared, who: Who) -> Response:
    """An engine goes; what it still holds goes back to its lane."""
    wanted = await own_engine(engine_id, shared, who)
    held = await shared.queue.engines.leave(wanted)
    shared.queue.claimers.let_go(wanted)
    await shared.queue.finishing.hand_back(wanted, held)
    return Response(status_code=204)
