"""The work on events: each lease has a task that handles it, reports it and frees its slot."""

from __future__ import annotations

import asyncio
import logging
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

STOPPING = "the engine is stopping"
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
        self._warmed = False
        self._abandoned = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[Lease] = set()
        metrics.inflight(lambda: leases.in_slots)

    def begin(self, lease: Lease) -> None:
        """Start the work on an event that was just claimed."""
        self._open.add(lease)
        task = asyncio.create_task(self._work(lease))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def give_back(self) -> None:
        """Stop whatever has not yet asked a model; it is handed back."""
        for lease in self._open:
            if lease.stage in ("preparing", "reserving"):
                lease.interrupt()

    def cut_off(self) -> None:
        """Stop everything, also what waits for a model; it is handed back, and its call charged at its bound."""
        for lease in self._open:
            lease.cut_off()

    async def over(self, timeout: float) -> bool:
        """Whether all work is over, reports included, within `timeout` seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, timeout))
        return not self._tasks

    async def abandon(self) -> None:
        """Drop everything without a word to the API."""
        self._abandoned = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, lease: Lease) -> None:
        clock = self._leases.clock
        began = clock()
        log = about(self._log, lease.event)
        meter = EventMeter(lease, self._reserver, clock=clock, metrics=self._metrics, log=log)
        try:
            outcome = await self._outcome(lease, meter, log)
            handled = clock()
            state = await self._report(lease, outcome, meter)
        finally:
            self._open.discard(lease)
            self._leases.release(lease)
        name = NAMES[type(outcome)]
        lost = lease.gone is not None or state not in ("done", "settled")
        self._metrics.event(lease.event.event_type, state if lost else name)
        level = _level(outcome, lost, meter)
        if not log.is_enabled_for(level):
            return
        log.log(
            level,
            "event_finished",
            outcome=name,
            answer=state,
            calls=meter.calls,
            reserved=format(meter.reserved, "f"),
            handled_seconds=round(handled - began, 4),
            reported_seconds=round(clock() - handled, 4),
            **_reason(outcome),
        )

    async def _outcome(self, lease: Lease, meter: EventMeter, log: FilteringBoundLogger) -> Outcome:
        """What the handler says, or why it does not: it was stopped, or the lease went meanwhile."""
        lease.task = asyncio.current_task()
        try:
            outcome = HandBack(reason=STOPPING) if lease.stopped else await self._handle(lease, meter, log)
        except asyncio.CancelledError:
            if self._abandoned or not lease.stopped or lease.task is None:
                raise
            lease.task.uncancel()
            outcome = HandBack(reason=STOPPING)
        except Exception as error:
            # The handler itself does not raise: this comes from loading the model libraries, and ends the engine.
            outcome = HandBack(reason=f"the engine cannot work: {error}")
        finally:
            lease.task = None
        return outcome if lease.gone is None else Dropped(reason=lease.gone)

    async def _handle(self, lease: Lease, meter: EventMeter, log: FilteringBoundLogger) -> Outcome:
        if not self._warmed:
            await self._warm()
            self._warmed = True
        return await self._handler.handle(lease.event, meter, log)

    def _report(self, lease: Lease, outcome: Outcome, meter: EventMeter) -> Awaitable[str]:
        finish = finish_of(outcome, lease.event.id, lease.event.lease_no)
        calls = meter.settlement()
        if finish is None:
            # Nothing is held any more: the slot need not wait for the settlement.
            lease.gone = lease.gone or "it was dropped"
            self._leases.release(lease)
        else:
            self._leases.handled(lease)
        return self._finisher.report(lease, finish, calls)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("work_broke_off", exc_info=error)


def _level(outcome: Outcome, lost: bool, meter: EventMeter) -> int:
    """How urgent the line about an event is. One that went well and asked no model takes less than the line itself."""
    match outcome:
        case Retry():
            return logging.WARNING
        case Fail():
            return logging.ERROR
        case Done() if not lost and not meter.calls:
            return logging.DEBUG
        case _:
            return logging.INFO


def _reason(outcome: Outcome) -> dict[str, str]:
    match outcome:
        case Retry(reason=reason, code=code) | Fail(reason=reason, code=code):
            return {"code": code, "reason": reason}
        case HandBack(reason=reason) | Dropped(reason=reason):
            return {"reason": reason}
        case _:
            return {}
