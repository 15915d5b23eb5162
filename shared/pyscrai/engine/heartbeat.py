"""Heartbeats: they renew exactly the leases that are worked on, and bring back which are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from pyscrai.client.engine import EngineApi
from pyscrai.client.errors import ApiUnreachable, ClientError, Forbidden, NotFound, Unauthorized
from pyscrai.engine.leases import Key, Leases
from pyscrai.engine.metrics import Metrics
from pyscrai.engine.registration import Registration


class Heart:
    """Beats in a task of its own. `draining` says what to report, `asked_to_drain` is called when the API asks."""

    def __init__(
        self,
        api: EngineApi,
        registration: Registration,
        leases: Leases,
        *,
        draining: Callable[[], bool],
        asked_to_drain: Callable[[], None],
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._api = api
        self._registration = registration
        self._leases = leases
        self._draining = draining
        self._asked_to_drain = asked_to_drain
        self._metrics = metrics
        self._log = log

    async def run(self) -> None:
        """Beat until cancelled. A beat that brought no answer is repeated sooner than the next is due."""
        clock = self._leases.clock
        while True:
            registered = self._registration.now
            answered = clock() - self._registration.seen_at < registered.heartbeat_seconds
            soon = min(registered.heartbeat_seconds, registered.lease_seconds / 20)
            pause = registered.heartbeat_seconds if answered else soon
            due = clock() + pause
            await asyncio.sleep(pause)
            self._notice_lateness(clock() - due, registered.lease_seconds)
            await self.beat()

    async def beat(self) -> bool:
        """One heartbeat; whether the API answered it."""
        registered = self._registration.now
        listed = [lease.key for lease in self._leases if lease.gone is None]
        status = "draining" if self._draining() else "active"
        sent_at = self._leases.clock()
        self._metrics.request("heartbeat")
        try:
            answer = await self._api.heartbeat(
                listed, workload=self._leases.in_slots, status=status, timeout=registered.lease_seconds / 2
            )
        except (NotFound, Unauthorized, Forbidden):
            await self._registration.again(registered.id)
            return True
        except ClientError as error:
            how = "unanswered" if isinstance(error, ApiUnreachable) else "refused"
            self._log.warning(f"heartbeat_{how}", leases=len(listed), error=str(error))
            return False
        self._registration.seen_at = self._leases.clock()
        self._take(
            listed, set(answer.renewed), set(answer.lost), set(answer.cancel), sent_at + registered.lease_seconds
        )
        if answer.drain and not self._draining():
            self._log.info("drain_requested")
            self._asked_to_drain()
        return True

    def _take(self, listed: list[Key], renewed: set[int], lost: set[int], cancel: set[int], until: float) -> None:
        # The answer names events; the numbers are those that were listed, since the same event may meanwhile have
        # been claimed anew.
        self._leases.renewed([key for key in listed if key[0] in renewed], until)
        cancelled = self._leases.lost([key for key in listed if key[0] in cancel], "the event was cancelled")
        gone = self._leases.lost([key for key in listed if key[0] in lost - cancel], "the lease was lost")
        for lease in cancelled + gone:
            self._log.warning("lease_lost", event_id=lease.event.id, lease=lease.event.lease_no, why=lease.gone)

    def _notice_lateness(self, late: float, lease_seconds: float) -> None:
        """Something that does not let go of the event loop keeps heartbeats from leaving: say so before leases go."""
        self._metrics.lateness(max(0.0, late))
        if late > lease_seconds / 4:
            self._log.warning("event_loop_late", seconds=round(late, 3), lease_seconds=lease_seconds)
