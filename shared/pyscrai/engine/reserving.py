"""The money of model calls, asked for in one request for all events that are about to call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from pyscrai.client.engine import EngineApi
from pyscrai.client.errors import ApiError, ApiUnreachable, ClientError, Forbidden, NotFound, Unauthorized
from pyscrai.contract.events import Grant, Reserve
from pyscrai.engine.batching import Batcher
from pyscrai.engine.errors import LeaseGone
from pyscrai.engine.leases import Clock, Lease
from pyscrai.engine.metrics import Metrics
from pyscrai.engine.registration import Registration


@dataclass(eq=False, kw_only=True)
class _Wanted:
    lease: Lease
    call: Reserve
    answer: asyncio.Future[Grant] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Reserver:
    """Asks the API for reservations. An attempt that brought no answer is repeated while the lease holds."""

    def __init__(
        self,
        api: EngineApi,
        registration: Registration,
        *,
        clock: Clock,
        expecting: Callable[[], bool],
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._api = api
        self._registration = registration
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._batches = Batcher(self._send, failed=self._failed, expecting=expecting)

    async def reserve(self, lease: Lease, call: Reserve) -> Grant:
        """The API's answer for one call. Raises LeaseGone, or ApiError where the API refuses the request itself."""
        wanted = _Wanted(lease=lease, call=call)
        self._batches.add(wanted)
        return await wanted.answer

    def stop(self) -> None:
        self._batches.stop()

    async def _send(self, batch: list[_Wanted]) -> list[_Wanted]:
        batch = [wanted for wanted in batch if self._still_wanted(wanted)]
        if not batch:
            return []
        self._metrics.request("reserve")
        engine = self._registration.now.id
        try:
            grants = await self._api.reserve([wanted.call for wanted in batch])
        except ApiUnreachable as error:
            self._log.warning("reserve_unanswered", calls=len(batch), error=str(error))
            return batch
        except (NotFound, Unauthorized, Forbidden):
            await self._registration.again(engine)
            return batch
        except ApiError as error:
            if error.status >= 500:
                self._log.warning("reserve_unanswered", calls=len(batch), error=str(error))
                return batch
            return await self._refused(batch, error)
        by_call = {(grant.event_id, grant.call): grant for grant in grants}
        for wanted in batch:
            self._answer(wanted, by_call.get((wanted.call.event_id, wanted.call.call)))
        return []

    async def _refused(self, batch: list[_Wanted], error: ApiError) -> list[_Wanted]:
        """One wrong call must not take the others with it: each is asked for by itself."""
        if len(batch) > 1:
            again = [await self._send([wanted]) for wanted in batch]
            return [wanted for part in again for wanted in part]
        _give_up(batch[0], error)
        return []

    def _failed(self, batch: list[_Wanted], error: Exception) -> None:
        self._log.error("reserve_failed", calls=len(batch), error=str(error))
        for wanted in batch:
            _give_up(wanted, error)

    def _still_wanted(self, wanted: _Wanted) -> bool:
        if wanted.answer.done():
            return False
        try:
            wanted.lease.require(self._clock())
        except LeaseGone as gone:
            _give_up(wanted, gone)
            return False
        return True

    def _answer(self, wanted: _Wanted, grant: Grant | None) -> None:
        if wanted.answer.done():
            return
        if grant is None:
            _give_up(wanted, ClientError("the API did not answer for this call"))
        else:
            wanted.answer.set_result(grant)


def _give_up(wanted: _Wanted, error: Exception) -> None:
    if not wanted.answer.done():
        wanted.answer.set_exception(error)
