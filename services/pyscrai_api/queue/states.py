"""The numbers of states in `queue`, `outcomes` and `attempts`, and the words that the seeds' clients know."""

from __future__ import annotations

from enum import IntEnum

from pyscrai.contract.events import EventStatus


class Live(IntEnum):
    """`queue.state`."""

    SCHEDULED = 1
    READY = 2
    LEASED = 3
    WAITING = 4
    HELD = 5
    DEAD = 6


class Final(IntEnum):
    """`outcomes.state`."""

    SUCCEEDED = 1
    CANCELLED = 2
    DISCARDED = 3


class Ended(IntEnum):
    """`attempts.kind`: how a lease ended that did not succeed."""

    FAILED = 1
    LOST = 2
    HANDED_BACK = 3


class Call(IntEnum):
    """`calls.state`."""

    RESERVED = 1
    SETTLED = 2
    ASSUMED = 3
    RELEASED = 4


STATUS_OF_LIVE: dict[Live, EventStatus] = {
    Live.SCHEDULED: "queued",
    Live.READY: "queued",
    Live.LEASED: "processing",
    Live.WAITING: "waiting",
    Live.HELD: "queued",
    Live.DEAD: "failed",
}
STATUS_OF_FINAL: dict[Final, EventStatus] = {
    Final.SUCCEEDED: "completed",
    Final.CANCELLED: "cancelled",
    Final.DISCARDED: "cancelled",
}


def shown(live: int | None, final: int | None, failures: int) -> tuple[EventStatus, str]:
    """An event's (status, state) on the wire: the seeds' word, and ours. A scheduled retry shows as `retry`."""
    if final is not None:
        return STATUS_OF_FINAL[Final(final)], Final(final).name.lower()
    if live is None:
        raise ValueError("an event is either live or it has an outcome")
    state = Live(live)
    if state is Live.SCHEDULED and failures:
        return "retry", state.name.lower()
    return STATUS_OF_LIVE[state], state.name.lower()
