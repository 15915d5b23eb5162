"""The work on events: each lease has a task that handles it, reports it and frees its slot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from structlog.typing import FilteringBoundLogger

from pyscrai.engine.finishing import Finisher
from pyscrai.engine.handler import Handler
from pyscrai.engine.leases import Lease, Leases
from pyscrai.engine.logging import about
from pyscrai.engine.metering import EventMeter, Reserves
from pyscrai.engine.metrics import Metrics
from pyscrai.engine.outcomes import Done, Dropped, Fail, HandBack, Outcome, Retry, finish_of

NAMES: dict[type[Outcome], str] = {
    Done: "done",
    Retry: "retry",
    Fail: "fail",
    HandBack: "hand_back",
    Dropped: "dropped",
}


class Worker:
    """Works on leases, each in a task of its own. `warm` gives when models can be asked."""

    def __init__(
        self,
        handler: Handler,
        reserver: Reserves,
        finisher: Finisher,
        leases: Leases,
        *,
        warm: Callable[[], Awaitable[Any]],
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._handler = handler
        self._reserver = reserver
        self._finisher = finisher
        self._leases = leases
        self._warm = warm
        self._metrics = metrics
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[Lease] = set()

    def begin(self, lease: Lease) -> None:
        """Start the work on an event that was just claimed."""
        log = about(self._log, lease.event)
        meter = EventMeter(lease, self._reserver, clock=self._leases.clock, metrics=self._metrics, log=log)
        handling = asyncio.create_task(self._handle(lease, meter, log))
        lease.task = handling
        self._open.add(lease)
        task = asyncio.create_task(self._work(lease, handling, meter, log))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        self._metrics.inflight(len(self._tasks))

    def give_back(self) -> None:
        """Stop whatever has not yet asked a model; it is handed back."""
        for lease in self._open:
            if lease.stage in ("preparing", "reserving"):
                lease.interrupt()

    def cut_off(self) -> None:
        """Stop everything, also what waits for a model; it is handed back, and its call charged at its bound."""
        for lease in self._open:
            if lease.task is not None:
                lease.task.cancel()

    async def over(self, timeout: float) -> bool:
        """Whether all work is over, reports included, within `timeout` seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, timeout))
        return not self._tasks

    async def abandon(self) -> None:
        """Drop everything without a word to the API."""
        self.cut_off()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(
        self, lease: Lease, handling: asyncio.Task[Outcome], meter: EventMeter, log: FilteringBoundLogger
    ) -> None:
        clock = self._leases.clock
        began = clock()
        try:
            await asyncio.wait({handling})
            outcome = _outcome(lease, handling)
            handled = clock()
            state = await self._report(lease, outcome, meter)
        finally:
            handling.cancel()
            self._open.discard(lease)
            self._leases.release(lease)
        name = NAMES[type(outcome)]
        lost = lease.gone is not None or state not in ("done", "settled")
        self._metrics.event(lease.event.event_type, state if lost else name)
        log.log(
            _LEVELS[name],
            "event_finished",
            outcome=name,
            answer=state,
            calls=meter.calls,
            reserved=format(meter.reserved, "f"),
            handled_seconds=round(handled - began, 4),
            reported_seconds=round(clock() - handled, 4),
            **_reason(outcome),
        )

    async def _handle(self, lease: Lease, meter: EventMeter, log: FilteringBoundLogger) -> Outcome:
        await self._warm()
        return await self._handler.handle(lease.event, meter, log)

    async def _report(self, lease: Lease, outcome: Outcome, meter: EventMeter) -> str:
        finish = finish_of(outcome, lease.event.id, lease.event.lease_no)
        if finish is None:
            # Nothing is held any more: the slot need not wait for the settlement.
            lease.gone = lease.gone or "it was dropped"
            self._leases.release(lease)
        return await self._finisher.report(lease, finish, meter.settlement())

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._metrics.inflight(len(self._tasks))
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("work_broke_off", exc_info=error)


_LEVELS = {"done": 20, "retry": 30, "fail": 40, "hand_back": 20, "dropped": 20}


def _outcome(lease: Lease, handling: asyncio.Task[Outcome]) -> Outcome:
    if lease.gone is not None:
        return Dropped(reason=lease.gone)
    if handling.cancelled():
        return HandBack(reason="the engine is stopping")
    # The handler itself does not raise: what is here comes from loading the model libraries, and ends the engine.
    error = handling.exception()
    return handling.result() if error is None else HandBack(reason=f"the engine cannot work: {error}")


def _reason(outcome: Outcome) -> dict[str, str]:
    match outcome:
        case Retry(reason=reason, code=code) | Fail(reason=reason, code=code):
            return {"code": code, "reason": reason}
        case HandBack(reason=reason) | Dropped(reason=reason):
            return {"reason": reason}
        case _:
            return {}
