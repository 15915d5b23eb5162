"""An engine from registration to its last request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from structlog.typing import FilteringBoundLogger

from pyscrai.client.engine import EngineApi
from pyscrai.client.errors import ClientError
from pyscrai.engine.claimer import Claimer
from pyscrai.engine.errors import CannotStart
from pyscrai.engine.finishing import Finisher
from pyscrai.engine.handler import Handler
from pyscrai.engine.health import serve_health
from pyscrai.engine.heartbeat import Heart
from pyscrai.engine.leases import Clock, Leases
from pyscrai.engine.metrics import Metrics
from pyscrai.engine.registration import Registration
from pyscrai.engine.reserving import Reserver
from pyscrai.engine.settings import EngineSettings
from pyscrai.engine.stopping import Stop
from pyscrai.engine.worker import Worker

FAREWELL = 5.0
"""Seconds for the last reports and the deregistration, after the grace period."""


class Engine:
    """One engine. `warm_up` imports what models need; it runs when the engine is registered already."""

    def __init__(
        self,
        settings: EngineSettings,
        *,
        api: EngineApi,
        handler: Handler,
        warm_up: Callable[[], Awaitable[Any]],
        log: FilteringBoundLogger,
        clock: Clock = time.monotonic,
    ) -> None:
        self._settings = settings
        self._api = api
        self._handler = handler
        self._warm_up = warm_up
        self._log = log
        self.metrics = Metrics(settings.engine_type)
        self.leases = Leases(settings.concurrency, clock=clock)
        self.stop = Stop()
        self.health_port: int | None = None
        self._registration = Registration(settings, api, self.leases, metrics=self.metrics, log=log)

    async def run(self) -> int:
        """Work until asked to stop; answers the exit code. Raises CannotStart."""
        async with AsyncExitStack() as stack:
            if self._settings.health_port is not None:
                await stack.enter_async_context(self._health())
            registering = await stack.enter_async_context(_running(self._registration.first()))
            if not await self._unless_stopped(registering):
                return self._exit_code()
            registering.result()
            self._log = self._log.bind(engine=self._registration.now.id, lane=self._registration.now.lane)
            return await self._serve()

    async def _serve(self) -> int:
        warming = asyncio.create_task(_awaited(self._warm_up()))
        reserver, finisher, worker = self._parts(warming)
        heart = Heart(
            self._api,
            self._registration,
            self.leases,
            draining=self.stop.drain.is_set,
            asked_to_drain=self.stop.request,
            metrics=self.metrics,
            log=self._log,
        )
        claimer = Claimer(
            self._api,
            self._registration,
            self.leases,
            begin=worker.begin,
            wait_seconds=self._settings.wait_seconds,
            metrics=self.metrics,
            log=self._log,
        )
        try:
            async with _running(heart.run()) as beating:
                async with _running(claimer.run()) as claiming:
                    broken = await self._until_stopped(warming, beating, claiming)
                drained = await self._drain(worker, beating)
        finally:
            reserver.stop()
            finisher.stop()
            warming.cancel()
        if broken is not None:
            raise broken
        return 0 if drained else self._exit_code()

    def _parts(self, warming: asyncio.Task[None]) -> tuple[Reserver, Finisher, Worker]:
        leases, metrics, log = self.leases, self.metrics, self._log
        reserver = Reserver(
            self._api,
            self._registration,
            clock=leases.clock,
            expecting=lambda: leases.any_at("preparing"),
            metrics=metrics,
            log=log,
        )
        finisher = Finisher(
            self._api,
            self._registration,
            clock=leases.clock,
            # Work without a model ends by itself: only where there is more of it than slots is there more to come.
            expecting=lambda: leases.any_at("calling", "answered") or leases.in_slots == leases.slots,
            metrics=metrics,
            log=log,
        )
        worker = Worker(
            self._handler, reserver, finisher, leases, warm=lambda: asyncio.shield(warming), metrics=metrics, log=log
        )
        return reserver, finisher, worker

    async def _until_stopped(self, warming: asyncio.Task[None], *loops: asyncio.Task[None]) -> Exception | None:
        """Until a stop is asked for, or something that must not end has ended: then why."""
        async with _running(self.stop.drain.wait()) as asked:
            await asyncio.wait({asked, warming, *loops}, return_when=asyncio.FIRST_COMPLETED)
            if warming.done() and warming.exception() is None:
                await asyncio.wait({asked, *loops}, return_when=asyncio.FIRST_COMPLETED)
        for task in (warming, *loops):
            if task.done() and (error := task.exception()) is not None:
                self._log.error("engine_broken", error=str(error))
                self.stop.drain.set()
                if task is warming:
                    return CannotStart(f"the model libraries cannot be loaded: {error} (pip install 'pyscrai[engine]')")
                return error if isinstance(error, Exception) else CannotStart(str(error))
        return None

    async def _drain(self, worker: Worker, beating: asyncio.Task[None]) -> bool:
        """Finish or give back within the grace period, say good-bye; False where it was cut short."""
        self._log.info("draining", events=len(self.leases), grace_seconds=self._settings.grace_seconds)
        async with _running(self._farewell(worker, beating)) as leaving:
            async with _running(self.stop.now.wait()) as hurry:
                await asyncio.wait({leaving, hurry}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                return bool(leaving.result())
        self._log.warning("stopped_at_once", events=len(self.leases))
        await worker.abandon()
        return False

    async def _farewell(self, worker: Worker, beating: asyncio.Task[None]) -> bool:
        worker.give_back()
        if not await worker.over(self._settings.grace_seconds):
            worker.cut_off()
            if not await worker.over(FAREWELL):
                self._log.error("reports_left_behind", events=len(self.leases))
                await worker.abandon()
        # A heartbeat after the good-bye would find the engine unknown, and register it anew.
        beating.cancel()
        await asyncio.wait({beating})
        try:
            async with asyncio.timeout(FAREWELL):
                await self._api.deregister()
        except (ClientError, TimeoutError) as error:
            self._log.warning("deregistration_failed", error=str(error) or "no answer in time")
        self._log.info("engine_stopped")
        return True

    async def _unless_stopped(self, task: asyncio.Task[Any]) -> bool:
        """Whether the task ended before a stop was asked for."""
        async with _running(self.stop.drain.wait()) as asked:
            await asyncio.wait({asked, task}, return_when=asyncio.FIRST_COMPLETED)
        return task.done()

    def _exit_code(self) -> int:
        return 0 if not self.stop.now.is_set() else 128 + (self.stop.signal or 15)

    @asynccontextmanager
    async def _health(self) -> AsyncIterator[None]:
        host, port = self._settings.health_host, self._settings.health_port or 0
        async with serve_health(host, port, why_not_ready=self._why_not_ready, registry=self.metrics.registry) as bound:
            self.health_port = bound
            self._log.info("health_served", host=host, port=bound)
            yield

    def _why_not_ready(self) -> str | None:
        if self._registration.current is None:
            return "not registered yet"
        if self.stop.drain.is_set():
            return "draining"
        silence = self.leases.clock() - self._registration.seen_at
        if silence > self._registration.current.lease_seconds:
            return f"the API has not answered for {silence:.0f} s"
        return None


async def _awaited(what: Awaitable[Any]) -> None:
    await what


@asynccontextmanager
async def _running(what: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """A coroutine as a task that does not outlive the block."""
    task = asyncio.create_task(what)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
