"""The leases that this engine works under, counted on its own monotonic clock.

A lease has a slot while its event is worked on. Its report needs none, so that the next events are under way before
the API has answered for the last ones; but no more reports may be out than there are slots.
A lease is believed in until `until`; the API's answer to a heartbeat moves that on. Only the database decides what is
really held: this is for knowing when to stop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from pyscrai.contract.events import Claimed
from pyscrai.engine.errors import LeaseGone

Clock = Callable[[], float]
Key = tuple[int, int]
Stage = Literal["preparing", "reserving", "calling", "answered", "repairing", "reporting"]


@dataclass(eq=False, kw_only=True, slots=True)
class Lease:
    """The right to one event. `until` is on the monotonic clock; `gone` says why it is over, where it is.

    `task` is there while a handler works; `stopped` says that the handler was told to stop.
    """

    event: Claimed
    until: float
    gone: str | None = None
    stage: Stage = "preparing"
    task: asyncio.Task[Any] | None = field(default=None, repr=False)
    stopped: bool = False
    in_slot: bool = True

    @property
    def key(self) -> Key:
        return self.event.id, self.event.lease_no

    def require(self, now: float) -> None:
        """Raise LeaseGone unless the lease can be believed in at `now`."""
        if self.gone is not None:
            raise LeaseGone(self.gone)
        if now >= self.until:
            raise LeaseGone("it could not be renewed in time", confirmed=False)

    def interrupt(self) -> None:
        """Stop the handler, unless a request is with the provider: that is paid for and may end, so that its usage
        becomes known; what it does not get any more is the next call."""
        if self.stage != "calling":
            self.cut_off()

    def cut_off(self) -> None:
        """Stop the handler, whatever it waits for, or do not let it begin."""
        self.stopped = True
        if self.task is not None:
            self.task.cancel()


class Leases:
    """Every lease that this engine holds. `slots`: how many may be worked on at once."""

    def __init__(self, slots: int, *, clock: Clock = time.monotonic) -> None:
        self.slots = slots
        self.clock = clock
        self._held: dict[Key, Lease] = {}
        self._in_slots = 0
        self._freed = asyncio.Event()
        self._freed.set()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Lease]:
        return iter(list(self._held.values()))

    def any_at(self, *stages: Stage) -> bool:
        """Whether some lease is at one of these stages."""
        return any(lease.stage in stages for lease in self._held.values())

    @property
    def in_slots(self) -> int:
        """How many are worked on; the others are being reported."""
        return self._in_slots

    @property
    def free(self) -> int:
        """How many more events may be taken now."""
        return max(0, min(self.slots - self._in_slots, 2 * self.slots - len(self._held)))

    async def some_free(self, at_least: int = 1) -> int:
        """How many slots are free, as soon as that many are."""
        while self.free < at_least:
            self._freed.clear()
            await self._freed.wait()
        return self.free

    def take(self, event: Claimed) -> Lease | None:
        """Begin a lease that a claim just answered; None where it is held already (an answer given twice)."""
        lease = Lease(event=event, until=self.clock() + event.lease_for)
        if lease.key in self._held:
            return None
        self._held[lease.key] = lease
        self._in_slots += 1
        return lease

    def handled(self, lease: Lease) -> None:
        """The event is worked on no more, and only to be reported: its slot is free."""
        if lease.in_slot:
            lease.in_slot = False
            self._in_slots -= 1
            self._freed.set()

    def release(self, lease: Lease) -> None:
        """The work under it is over, or not this engine's any more."""
        if self._held.get(lease.key) is lease:
            del self._held[lease.key]
            self.handled(lease)
            self._freed.set()

    def renewed(self, keys: Iterable[Key], until: float) -> None:
        """The API has renewed these leases, at least until `until`."""
        for key in keys:
            lease = self._held.get(key)
            if lease is not None:
                lease.until = max(lease.until, until)

    def lost(self, keys: Iterable[Key], why: str) -> list[Lease]:
        """These leases are over: stop the work and free the slots. Answers those that were still held."""
        over = [lease for key in keys if (lease := self._held.get(key)) is not None]
        for lease in over:
            lease.gone = why
            self.release(lease)
            lease.interrupt()
        return over
