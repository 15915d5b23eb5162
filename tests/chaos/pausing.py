"""An operator who pauses event types and lets them go on, and remembers for how long each was really at rest."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Any

from tests.chaos.courier import Answer, Courier
from tests.chaos.memory import Memory, Stopped, Violation
from tests.chaos.orders import EVENT_TYPES
from tests.chaos.work import LANE

BETWEEN = (5.0, 15.0)
"""Seconds from the end of a pause to the next one."""
RESTS = (1.0, 4.0)
"""Seconds for which a type rests, once nothing of it is leased any more."""
LONGEST = 10.0
"""Seconds that this may take to be so."""
LOOK_EVERY = 0.3
ECHO = 60.0
"""Seconds after which a copy of a request that got no answer is done by no replica any more."""


class Operator:
    """Pauses one type of light events at a time. Its requests travel undisturbed, but replicas die over them too."""

    def __init__(self, seed: int, courier: Courier, memory: Memory) -> None:
        self._chance = random.Random(f"pauses:{seed}")
        self._courier = courier
        self._memory = memory
        self._sure_from = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Until cancelled; nothing is paused any more after `stop`."""
        while True:
            await self._rest(stop, self._chance.uniform(*BETWEEN))
            if not stop.is_set():
                await self._pause(self._chance.choice(EVENT_TYPES), stop)

    async def _rest(self, stop: asyncio.Event, seconds: float) -> None:
        """Let some time pass in which nothing is to be paused: what is was paused by a late copy of a request."""
        until = time.monotonic() + seconds
        while stop.is_set() or time.monotonic() < until:
            for one in await self._paused():
                await self._let_go(one["event_type"])
            await asyncio.sleep(1.0)

    async def _pause(self, event_type: str, stop: asyncio.Event) -> None:
        wanted = {"lane": LANE, "event_type": event_type, "reason": "chaos"}
        self._answered(await self._courier.insist("PUT", "/queue/pauses", wanted, calm=True))
        self._memory.pauses += 1
        until = time.monotonic() + LONGEST
        while time.monotonic() < until and not stop.is_set():
            if any(one["drained"] for one in await self._paused() if one["event_type"] == event_type):
                since = _now()
                await asyncio.sleep(self._chance.uniform(*RESTS))
                self._remember(event_type, since)
                break
            await asyncio.sleep(LOOK_EVERY)
        await self._let_go(event_type)

    def _remember(self, event_type: str, since: datetime) -> None:
        """Only where no copy of an earlier request can have let it go on meanwhile."""
        if time.monotonic() > self._sure_from:
            self._memory.stopped.append(Stopped(event_type=event_type, since=since, until=_now()))

    async def _let_go(self, event_type: str) -> None:
        answer = await self._courier.insist("DELETE", "/queue/pauses", calm=True, lane=LANE, event_type=event_type)
        self._answered(answer)

    async def _paused(self) -> list[dict[str, Any]]:
        answer = await self._courier.insist("GET", "/queue/pauses", calm=True)
        return [one for one in answer.body if one["lane"] == LANE] if answer.ok else []

    def _answered(self, answer: Answer) -> None:
        if answer.repeats:
            self._sure_from = time.monotonic() + ECHO
        if not answer.ok and answer.status != 404:
            found = f"{answer.status} {str(answer.body)[:300]}"
            self._memory.told.append(Violation(rule="accepted", expected="a pause, or its end", found=found))


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
