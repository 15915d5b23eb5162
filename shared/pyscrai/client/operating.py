"""Operating the queue, as typed calls; `Api.operating` has them."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

from pyscrai.client.http import Http
from pyscrai.contract.engines import EngineInstance
from pyscrai.contract.events import Event
from pyscrai.contract.operating import DeadDone, DeadFilter, HealthReport, NewPause, Pause, QueueState


class OperatingCalls:
    """Every method raises ApiError or ApiUnreachable; those that stop something Forbidden for all but the holder of the
    installation's token."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def queue(self) -> QueueState:
        """Lanes with their depths, engines and pauses."""
        return QueueState.model_validate(await self._http.request("GET", "/queue"))

    async def pauses(self) -> list[Pause]:
        """What is paused, and how much of it is still being worked on."""
        return [Pause.model_validate(item) for item in await self._http.request("GET", "/queue/pauses")]

    async def pause(self, wanted: NewPause) -> Pause:
        """Give out no more events of a type, or of a lane. Raises InvalidRequest for what cannot be a lane."""
        return Pause.model_validate(await self._http.request("PUT", "/queue/pauses", json=wanted))

    async def resume(self, lane: str, event_type: str) -> None:
        """End a pause. Raises NotFound where there is none."""
        await self._http.request("DELETE", "/queue/pauses", params={"lane": lane, "event_type": event_type})

    async def stop_engine(self, engine_id: str, verb: Literal["pause", "resume", "drain"]) -> EngineInstance:
        """Pause an engine, let it go on, or have it finish and leave. Raises NotFound, Conflict."""
        answer = await self._http.request("POST", f"/engine-instances/{quote(engine_id, safe='')}/{verb}")
        return EngineInstance.model_validate(answer)

    async def dead(self, wanted: DeadFilter, how: Literal["redrive", "discard"]) -> DeadDone:
        """Dead letters that match back to work, or given up, a thousand at most; `next` says where to go on."""
        return DeadDone.model_validate(await self._http.request("POST", f"/events/dead/{how}", json=wanted))

    async def promote(self, event_id: int) -> Event:
        """A scheduled event at once. Raises NotFound, Conflict."""
        return Event.model_validate(await self._http.request("POST", f"/events/{event_id}/promote"))

    async def report(self) -> HealthReport:
        """How queue and database are."""
        return HealthReport.model_validate(await self._http.request("GET", "/health/report"))
