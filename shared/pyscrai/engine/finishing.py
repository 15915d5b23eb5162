"""Reports of finished events, with the usage of their model calls, in one request for all that ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from pyscrai.client.engine import EngineApi
from pyscrai.client.errors import ApiError, ApiUnreachable, Forbidden, NotFound, TooLarge, Unauthorized
from pyscrai.contract.events import CallRecord, Finish
from pyscrai.engine.batching import Batcher
from pyscrai.engine.leases import Clock, Lease
from pyscrai.engine.metrics import Metrics
from pyscrai.engine.outcomes import Retry, finish_of
from pyscrai.engine.registration import Registration

PATIENCE = 900.0
"""Seconds for which a report is repeated that the API does not answer. After that its calls are charged at their
upper bound, by the API itself, when the lease expires."""


@dataclass(eq=False, kw_only=True, slots=True)
class _Report:
    lease: Lease
    finish: Finish | None
    calls: list[CallRecord]
    give_up: float
    answer: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def resolve(self, state: str) -> None:
        if not self.answer.done():
            self.answer.set_result(state)


class Finisher:
    """Reports outcomes until the API has answered for each; a lost lease leaves only the settlement of its calls."""

    def __init__(
        self,
        api: EngineApi,
        registration: Registration,
        *,
        clock: Clock,
        expecting: Callable[[], bool],
        metrics: Metrics,
        log: FilteringBoundLogger,
        patience: float = PATIENCE,
    ) -> None:
        self._api = api
        self._registration = registration
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._patience = patience
        self._batches = Batcher(self._send, failed=self._failed, expecting=expecting)

    def report(self, lease: Lease, finish: Finish | None, calls: list[CallRecord]) -> Awaitable[str]:
        """What became of the report: done, stale, unknown or invalid as the API says; `settled` where there was
        nothing to finish; `given_up` where the API could not be reached for long, or refused it."""
        report = _Report(lease=lease, finish=finish, calls=calls, give_up=self._clock() + self._patience)
        self._batches.add(report)
        return report.answer

    async def idle(self) -> None:
        await self._batches.idle()

    def stop(self) -> None:
        self._batches.stop()

    async def _send(self, batch: list[_Report]) -> list[_Report]:
        batch = [report for report in batch if self._worth_sending(report)]
        if not batch:
            return []
        self._metrics.request("finish")
        engine = self._registration.now.id
        events = [report for report in batch if report.finish is not None]
        calls = [call for report in batch for call in report.calls]
        try:
            finished = await self._api.finish([r.finish for r in events if r.finish is not None], calls)
        except ApiUnreachable as error:
            return self._again(batch, error)
        except (NotFound, Unauthorized, Forbidden) as error:
            await self._registration.again(engine)
            return self._again(batch, error)
        except ApiError as error:
            return self._again(batch, error) if error.status >= 500 else await self._refused(batch, error)
        for report, answer in zip(events, finished, strict=False):
            if answer.detail:
                self._log.warning("finish_answered", event_id=answer.event_id, state=answer.state, detail=answer.detail)
            report.resolve(answer.state)
        for report in batch:
            report.resolve("settled" if report.finish is None else "unknown")
        return []

    def _worth_sending(self, report: _Report) -> bool:
        if report.lease.gone is not None:
            report.finish = None
        if report.finish is None and not report.calls:
            report.resolve("settled")
            return False
        if self._clock() >= report.give_up:
            self._abandon(report, "the API was not reachable for too long")
            return False
        return True

    def _again(self, batch: list[_Report], error: ApiError | ApiUnreachable) -> list[_Report]:
        self._log.warning("finish_unanswered", events=_ids(batch), error=str(error))
        return batch

    async def _refused(self, batch: list[_Report], error: ApiError) -> list[_Report]:
        """The API does not take the request: find the report that is to blame, and say so in its place."""
        if len(batch) > 1:
            again = [await self._send([report]) for report in batch]
            return [report for part in again for report in part]
        report = batch[0]
        event = report.lease.event
        self._log.error("finish_refused", event_id=event.id, code=error.code, error=error.detail)
        if report.finish is None or report.finish.status != "completed":
            self._abandon(report, error.detail)
            return []
        code = "too_large" if isinstance(error, TooLarge) else "refused_result"
        outcome = Retry(reason=f"the API refused the result: {error.detail}", code=code)
        report.finish = finish_of(outcome, event.id, event.lease_no)
        return await self._send([report])

    def _failed(self, batch: list[_Report], error: Exception) -> None:
        for report in batch:
            if not report.answer.done():
                self._abandon(report, f"{type(error).__name__}: {error}")

    def _abandon(self, report: _Report, why: str) -> None:
        self._log.error(
            "report_abandoned",
            event_id=report.lease.event.id,
            lease=report.lease.event.lease_no,
            calls=[call.call for call in report.calls],
            error=why,
        )
        report.resolve("given_up")


def _ids(batch: Sequence[_Report]) -> list[int]:
    return [report.lease.event.id for report in batch]
