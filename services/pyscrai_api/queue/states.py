"""The numbers of states in `queue`, `outcomes`, `attempts` and `calls`. What clients call them: `vocabulary`."""

from __future__ import annotations

from enum import IntEnum


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
