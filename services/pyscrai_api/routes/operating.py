"""Operating the queue: what is in it, and what is stopped."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from pyscrai.contract.engines import EngineInstance
from pyscrai.contract.operating import HealthReport, NewPause, Pause, QueueState
from pyscrai.contract.problems import FieldError
from pyscrai_api.access import Caller, admin
from pyscrai_api.errors import Invalid, NotFound
from pyscrai_api.people.pools import may_see_lane
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.queue.lanes import is_lane
from pyscrai_api.routes.engines import own_engine
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1", tags=["operating"], route_class=CleanRoute)
STOPS: dict[str, Literal["active", "paused", "draining"]] = {
    "pause": "paused",
    "resume": "active",
    "drain": "draining",
}


async def _admin(request: Request) -> Caller:
    return admin(request)


Operator = Annotated[Caller, Depends(_admin)]
"""The caller, who holds the installation's token: everybody else gets 403."""
Lane = Annotated[str, Query(max_length=130, description="empty: every lane")]
Type = Annotated[str, Query(max_length=200, description="empty: every event type")]


@router.get("/queue")
async def queue(shared: Shared, who: Who) -> QueueState:
    """What is in the queue, by lane and event type, who works on it, and what is paused."""
    state = await shared.queue.state(who.owner)
    lanes = [one for one in state.lanes if may_see_lane(who.owner, one.lane)]
    shown = [one for one in state.pauses if may_see_lane(who.owner, one.lane)]
    return state.model_copy(update={"lanes": lanes, "pauses": shown})


@router.get("/queue/pauses")
async def pauses(shared: Shared, who: Operator) -> list[Pause]:
    """What is paused, and how much of it is still being worked on."""
    return await shared.queue.pauses.all()


@router.put("/queue/pauses")
async def pause(wanted: NewPause, shared: Shared, who: Operator) -> Pause:
    """Give out no more events of a type (in a lane, or anywhere), or of a lane. What is leased goes on to its end.

    `known` is false where neither catalog, queue nor engines know the type or the lane; the pause holds what may come.
    """
    if wanted.lane and not is_lane(wanted.lane):
        message = f"{wanted.lane[:100]!r} cannot name a lane"
        raise Invalid(message, errors=[FieldError(pointer="/lane", message=message)])
    return await shared.queue.pause(wanted, who.owner)


@router.delete("/queue/pauses", status_code=204)
async def resume(shared: Shared, who: Operator, lane: Lane = "", event_type: Type = "") -> Response:
    """End a pause: its events are given out again. 404 where there is none."""
    if not await shared.queue.pauses.end(lane.lower(), event_type, who.owner):
        what = f"events of type {event_type!r}" if event_type else "all events"
        if lane:
            raise NotFound(f"{what} are not paused in lane {lane!r}")
        raise NotFound(f"{what} are not paused in all lanes; a pause of one lane ends where that lane is named")
    return Response(status_code=204)


@router.get("/health/report")
async def report(shared: Shared, who: Operator) -> HealthReport:
    """How queue and database are: what was looked at, whether it is well, and what to do where it is not."""
    return (await shared.health.report())[0]


@router.post("/engine-instances/{engine_id}/{verb}")
async def stop_engine(
    engine_id: str, verb: Literal["pause", "resume", "drain"], shared: Shared, who: Who
) -> EngineInstance:
    """`pause`: it stays and gets nothing; `resume`; `drain`: it finishes what it has, and leaves."""
    wanted = await own_engine(engine_id, shared, who)
    changed = await shared.queue.engines.stop(wanted, STOPS[verb])
    if verb != "resume":
        shared.queue.claimers.let_go(wanted)
    await shared.queue.pauses.changed()
    return changed
