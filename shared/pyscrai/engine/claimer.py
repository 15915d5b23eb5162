"""Claiming: one long poll for as many events as slots are free.

Where there is more work than slots, they come free one by one. A claim then waits a moment for more of them, so that
there is not a request for each event; an engine that has room does not wait.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from structlog.typing import FilteringBoundLogger

from pyscrai.client.engine import EngineApi
from pyscrai.client.errors import ApiError, ApiUnreachable, Forbidden, NotFound, Unauthorized, UnexpectedAnswer
from pyscrai.contract.events import Claimed
from pyscrai.engine.backoff import Backoff
from pyscrai.engine.leases import Lease, Leases
from pyscrai.engine.metrics import Metrics
from pyscrai.engine.registration import Registration

ENOUGH = 4
"""One in so many slots is enough for a claim."""
GATHER = 0.002
"""Seconds after which it is sent anyhow."""


class Claimer:
    """Polls while there are free slots and hands each lease to `begin`."""

    def __init__(
        self,
        api: EngineApi,
        registration: Registration,
        leases: Leases,
        *,
        begin: Callable[[Lease], None],
        wait_seconds: float,
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._api = api
        self._registration = registration
        self._leases = leases
        self._begin = begin
        self._wait = wait_seconds
        self._metrics = metrics
        self._log = log
        self._backoff = Backoff(0.1, 2.0)

    async def run(self) -> None:
        """Claim until cancelled. A claim that is cut off is handed back by the API."""
        while True:
            await self._leases.some_free()
            await self._gather()
            await self._claim()

    async def _gather(self) -> None:
        enough = self._leases.slots // ENOUGH
        if self._leases.free < enough:
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER):
                    await self._leases.some_free(enough)

    async def _claim(self) -> None:
        """One claim, repeated under its own id until it is answered: a repeat answers what the first one took."""
        claim_id = str(uuid.uuid4())
        for repeat in count():
            registered = self._registration.now
            asked_at = self._leases.clock()
            try:
                events = await self._api.claim(
                    registered.lane,
                    max_events=self._leases.free or 1,
                    wait=self._wait,
                    claim_id=claim_id,
                    repeat=repeat,
                )
            except (ApiUnreachable, UnexpectedAnswer) as error:
                await self._pause("claim_unanswered", str(error))
            except (NotFound, Unauthorized, Forbidden):
                await self._registration.again(registered.id)
                await self._pause("claim_refused", "this engine was not known")
                return
            except ApiError as error:
                await self._pause("claim_refused", error.detail)
            else:
                self._metrics.request("claim_nonempty" if events else "claim_empty")
                await self._take(events, asked_at)
                return

    async def _take(self, events: list[Claimed], asked_at: float) -> None:
        if not events and self._leases.clock() - asked_at < min(self._wait, 1.0) / 2:
            # An API that does not hold the request open (it is going down, perhaps) must not be asked in a circle.
            await asyncio.sleep(self._backoff.next())
            return
        self._backoff.reset()
        for event in events:
            lease = self._leases.take(event)
            if lease is not None:
                self._begin(lease)

    async def _pause(self, what: str, error: str) -> None:
        self._metrics.request(what)
        self._log.warning(what, error=error)
        await asyncio.sleep(self._backoff.next())
