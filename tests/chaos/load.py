"""Producers of light events, with back-pressure, and the operator who sees to their dead letters."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.chaos.courier import Answer, Courier
from tests.chaos.memory import Memory, Sent, Violation
from tests.chaos.orders import Order, body_of, order
from tests.chaos.progress import Progress
from tests.chaos.work import LANE

BIGGEST_BATCH = 60
TWICE = 0.02
"""Share of the posts that are made once more under their key, and of those whose events are posted under another."""
REDRIVEN_EVERY = 2.0
SOON = 0.05


@dataclass(frozen=True, kw_only=True)
class LoadPlan:
    """`rate`: light events a second, if engines keep up; `ahead`: how many may be ready or leased, and half of
    how many may be live at all; `most`: events."""

    seed: int
    lease_seconds: float
    rate: float = 170.0
    ahead: int = 1500
    producers: int = 4
    most: int | None = None


class Load:
    """Posts light events until told to stop. Everything that was sent is in `memory`."""

    def __init__(self, plan: LoadPlan, courier: Courier, memory: Memory, progress: Progress) -> None:
        self._plan = plan
        self._courier = courier
        self._memory = memory
        self._progress = progress
        self._chance = random.Random(f"load:{plan.seed}")
        self._numbers = itertools.count()
        self._began = time.monotonic()
        self._unseen = 0
        self._looks = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Post until `stop`, or all of `most`; ends when every post, and every change of mind, was answered."""
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._plan.producers):
                tasks.create_task(self._produce(stop, tasks))

    async def _produce(self, stop: asyncio.Event, tasks: asyncio.TaskGroup) -> None:
        while not stop.is_set():
            wanted = self._next()
            if not wanted:
                return
            await self._room(stop)
            if not stop.is_set():
                await self._post(wanted, tasks)

    def _next(self) -> list[Order]:
        size = self._chance.randint(1, BIGGEST_BATCH)
        numbers = itertools.islice(self._numbers, size)
        most = self._plan.most
        return [order(self._plan.seed, n, self._plan.lease_seconds) for n in numbers if most is None or n < most]

    async def _room(self, stop: asyncio.Event) -> None:
        """Wait while the engines are behind, or we are ahead of our rate."""
        while not stop.is_set():
            if self._looks != self._progress.looks:
                self._looks, self._unseen = self._progress.looks, 0
            due = (time.monotonic() - self._began) * self._plan.rate
            urgent, live = self._progress.urgent + self._unseen, self._progress.light + self._unseen
            if urgent < self._plan.ahead and live < 2 * self._plan.ahead and len(self._memory.sent) <= due:
                return
            await asyncio.sleep(SOON)

    async def _post(self, wanted: Sequence[Order], tasks: asyncio.TaskGroup) -> None:
        bodies = [self._remember(one) for one in wanted]
        self._unseen += len(wanted)
        key = f"light/{self._plan.seed}/{wanted[0].n}"
        self._take(wanted, await self._courier.insist("POST", "/events", bodies, key=key))
        for one in wanted:
            if one.cancel is not None:
                tasks.create_task(self._cancel(one))
        if self._chance.random() < TWICE:
            self._memory.doubled += 1
            self._take(wanted, await self._courier.insist("POST", "/events", bodies, key=key))
        if self._chance.random() < TWICE:
            await self._post_deduped(wanted, bodies, f"{key}/other")

    async def _post_deduped(self, wanted: Sequence[Order], bodies: Sequence[Any], key: str) -> None:
        """Those with a dedupe_key once more, as if somebody else had thought of them: nothing may be made."""
        named = [(one, body) for one, body in zip(wanted, bodies, strict=True) if one.dedupe_key is not None]
        if named:
            self._memory.doubled += 1
            answer = await self._courier.insist("POST", "/events", [body for _, body in named], key=key)
            self._take([one for one, _ in named], answer)

    def _remember(self, wanted: Order) -> dict[str, Any]:
        """Before it is sent: from now on it may exist."""
        moment = None if wanted.after is None else datetime.fromtimestamp(time.time(), UTC) + wanted.after
        self._memory.sent[wanted.n] = Sent(n=wanted.n, value=wanted.value, dedupe_key=wanted.dedupe_key, due=moment)
        return body_of(wanted, None if moment is None else moment.isoformat())

    def _take(self, wanted: Sequence[Order], answer: Answer) -> None:
        if not answer.ok or not isinstance(answer.body, list) or len(answer.body) != len(wanted):
            found = f"{answer.status} {str(answer.body)[:300]}"
            self._memory.told.append(Violation(rule="accepted", expected="events to be enqueued", found=found))
            return
        for one, made in zip(wanted, answer.body, strict=True):
            if made["data"].get("n") != one.n:
                self._memory.told.append(
                    Violation(
                        rule="answers in order",
                        event=made["id"],
                        expected=f"event number {one.n}",
                        found=f"number {made['data'].get('n')}",
                    )
                )
                continue
            self._memory.acknowledge(one.n, made["id"])

    async def _cancel(self, wanted: Order) -> None:
        """The producer changes its mind."""
        sent = self._memory.sent[wanted.n]
        await asyncio.sleep(wanted.cancel or 0)
        if sent.event is None:
            return  # its post was refused, which is a violation already
        sent.cancelling = True
        answer = await self._courier.insist("POST", f"/events/{sent.event}/cancel")
        if answer.ok:
            sent.cancel = "yes"
        elif answer.status == 409:
            sent.cancel = "no"
        else:
            self._refused(sent.event, "cancel", answer)

    async def operate(self) -> None:
        """Look after dead letters until cancelled: each gets another chance, or is given up where its order says so."""
        while True:
            await asyncio.sleep(REDRIVEN_EVERY)
            page = await self._courier.insist("GET", "/events/dead", lane=LANE, limit=200)
            if not page.ok:
                self._refused(None, "list of dead letters", page)
                continue
            again: list[int] = []
            for letter in page.body["items"]:
                wanted = order(self._plan.seed, letter["data"]["n"], self._plan.lease_seconds)
                if wanted.discard:
                    await self._discard(wanted, letter["id"])
                else:
                    again.append(letter["id"])
            if again:
                await self._courier.insist("POST", "/events/dead/redrive", {"ids": again})

    async def _discard(self, wanted: Order, event: int) -> None:
        sent = self._memory.sent[wanted.n]
        sent.discarding = True
        answer = await self._courier.insist("POST", f"/events/{event}/discard")
        if answer.ok and answer.body["state"] == "discarded":
            sent.discard = "yes"
        elif answer.status == 409:
            sent.discard = sent.discard or "no"
        else:
            self._refused(event, "discard", answer)

    def _refused(self, event: int | None, what: str, answer: Answer) -> None:
        found = f"{answer.status} {str(answer.body)[:300]}"
        self._memory.told.append(Violation(rule="accepted", event=event, expected=f"{what}: done or 409", found=found))
