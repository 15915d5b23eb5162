"""The engine protocol (FORMATS §A) as calls with the contract's models."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from pyscrai.client.http import Http, parsed
from pyscrai.contract.engines import Heartbeat, HeartbeatAnswer, HeldLease, Registered, RegisterEngine
from pyscrai.contract.events import (
    CallRecord,
    Claim,
    Claimed,
    Finish,
    FinishAnswer,
    FinishBatch,
    Finished,
    Grant,
    Reserve,
    ReserveBatch,
)

_REGISTERED = TypeAdapter(Registered)
_BEAT = TypeAdapter(HeartbeatAnswer)
_FINISHED = TypeAdapter(FinishAnswer)
_CLAIMED = TypeAdapter(list[Claimed])
_GRANTS = TypeAdapter(list[Grant])
_LATE = 10.0
"""Seconds beyond the time that a long poll asked for after which its answer no longer comes."""


class EngineApi:
    """What one engine says to the API. Every method raises ClientError.

    Registration replaces the token of `http` by the engine's own. `timeout`s are in seconds.
    """

    def __init__(self, http: Http, *, installation_token: str | None = None) -> None:
        self._http = http
        self._installation_token = installation_token or http.token
        self._id: str | None = None

    @property
    def engine_id(self) -> str:
        """The id that the last registration gave; raises RuntimeError before the first."""
        if self._id is None:
            raise RuntimeError("the engine is not registered yet")
        return self._id

    async def register(self, engine: RegisterEngine) -> Registered:
        """Become an engine; repeated, a new one."""
        self._http.token = self._installation_token
        registered = parsed(_REGISTERED, await self._http.fetch("POST", "/engine-instances", json=engine))
        self._http.token = registered.token
        self._id = registered.id
        return registered

    async def heartbeat(
        self,
        leases: Sequence[tuple[int, int]],
        *,
        workload: int | None = None,
        status: str = "active",
        timeout: float | None = None,
    ) -> HeartbeatAnswer:
        """Renew exactly the leases (event, number) that are held. NotFound: register again.

        `workload`: how many of them are still worked on, by default all.
        """
        beat = Heartbeat(
            status=status,
            current_workload=len(leases) if workload is None else workload,
            leases=[HeldLease(event_id=event_id, lease_no=lease_no) for event_id, lease_no in leases],
        )
        path = f"/engine-instances/{self.engine_id}/heartbeat"
        return parsed(_BEAT, await self._http.fetch("PUT", path, json=beat, timeout=timeout, repeatable=True))

    async def claim(
        self, lane: str, *, max_events: int, wait: float, claim_id: str, repeat: int | None = None
    ) -> list[Claimed]:
        """Up to `max_events` events, after `wait` seconds at most; the same `claim_id` answers the same.

        `repeat`: how often it was sent before, by whoever counts.
        """
        claim = Claim(engine_id=self.engine_id, lane=lane, max=max_events, wait=wait, claim_id=claim_id, repeat=repeat)
        # Not `repeatable`: it would go out as the first one again.
        return parsed(_CLAIMED, await self._http.fetch("POST", "/events/claim", json=claim, timeout=wait + _LATE))

    async def reserve(self, calls: Sequence[Reserve]) -> list[Grant]:
        """Ask for the money of model calls, several at once."""
        batch = ReserveBatch(engine_id=self.engine_id, calls=list(calls))
        return parsed(_GRANTS, await self._http.fetch("POST", "/events/reserve", json=batch, repeatable=True))

    async def finish(
        self, events: Sequence[Finish], calls: Sequence[CallRecord], *, engine_id: str | None = None
    ) -> list[Finished]:
        """Settle model calls and finish events; `engine_id` is the one that holds them, by default the present."""
        batch = FinishBatch(engine_id=engine_id or self.engine_id, events=list(events), calls=list(calls))
        answer = parsed(_FINISHED, await self._http.fetch("PUT", "/events/status", json=batch, repeatable=True))
        return answer.results

    async def deregister(self) -> None:
        """Leave; leases that are still held go back."""
        await self._http.fetch("DELETE", f"/engine-instances/{self.engine_id}")
        self._id = None
        self._http.token = self._installation_token
