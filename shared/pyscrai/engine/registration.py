"""Being known to the API: the first registration, and another where the API has forgotten this engine."""

from __future__ import annotations

import asyncio
import os
import platform

from structlog.typing import FilteringBoundLogger

from pyscrai.client.engine import EngineApi
from pyscrai.client.errors import ApiError, ApiUnreachable, UnexpectedAnswer
from pyscrai.contract import PROTOCOL
from pyscrai.contract.engines import Registered, RegisterEngine, ResourceLimits
from pyscrai.engine.backoff import Backoff
from pyscrai.engine.errors import CannotStart
from pyscrai.engine.leases import Leases
from pyscrai.engine.metrics import Metrics
from pyscrai.engine.settings import EngineSettings


class Registration:
    """The engine's present registration. `current` is None until the first has succeeded."""

    def __init__(
        self, settings: EngineSettings, api: EngineApi, leases: Leases, *, metrics: Metrics, log: FilteringBoundLogger
    ) -> None:
        self._settings = settings
        self._api = api
        self._leases = leases
        self._metrics = metrics
        self._log = log
        self._lock = asyncio.Lock()
        self.current: Registered | None = None
        self.seen_at = float("-inf")
        """When the API last answered to this engine's registration or heartbeat, on the monotonic clock."""

    @property
    def now(self) -> Registered:
        """The present registration; the loops that use it start after the first."""
        if self.current is None:
            raise RuntimeError("the engine is not registered yet")
        return self.current

    async def first(self) -> Registered:
        """Register, as soon as the API can be reached. Raises CannotStart where it says no."""
        async with self._lock:
            return await self._register()

    async def again(self, forgotten: str) -> None:
        """Register anew because the API no longer knows `forgotten`; what was held under it is lost."""
        async with self._lock:
            if self.now.id != forgotten:
                return  # somebody else has noticed first
            self._log.warning("engine_unknown", forgotten=forgotten)
            self._leases.lost([lease.key for lease in self._leases], "the API no longer knows this engine")
            await self._register()

    async def _register(self) -> Registered:
        backoff = Backoff(0.1, 0.5, factor=1.3)
        waiting = False
        while True:
            self._metrics.request("register")
            try:
                registered = await self._api.register(self._request())
                break
            except ApiUnreachable as error:
                problem = str(error)
            except UnexpectedAnswer as error:
                raise CannotStart(f"{self._settings.api_url} is not a PyScrAI API: {error}") from error
            except ApiError as error:
                if error.status < 500:
                    raise CannotStart(_refusal(error)) from error
                problem = error.detail
            if not waiting:
                self._log.warning("api_awaited", api=self._settings.api_url, error=problem)
                waiting = True
            await asyncio.sleep(backoff.next())
        if registered.min_protocol > PROTOCOL:
            raise CannotStart(
                f"the API speaks protocol {registered.min_protocol} or newer, this engine {PROTOCOL}: upgrade it"
            )
        self.current = registered
        self.seen_at = self._leases.clock()
        self._metrics.set_lane(registered.lane)
        self._log.info(
            "engine_registered",
            engine=registered.id,
            lane=registered.lane,
            lease_seconds=registered.lease_seconds,
            heartbeat_seconds=registered.heartbeat_seconds,
        )
        return registered

    def _request(self) -> RegisterEngine:
        settings = self._settings
        return RegisterEngine(
            engine_type=settings.engine_type,
            pool=settings.pool,
            resource_limits=ResourceLimits(max_concurrent_events=settings.concurrency),
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            protocol=PROTOCOL,
            metadata={"pid": os.getpid(), "host": platform.node(), "python": platform.python_version()},
        )


def _refusal(error: ApiError) -> str:
    if error.status == 401:
        return f"the API wants a token: set PYSCRAI_TOKEN or --token ({error.detail})"
    places = "".join(f"; {wrong.pointer}: {wrong.message}" for wrong in error.errors)
    return f"the API refuses this engine: {error.detail}{places}"
