"""What light events are asked for: a function of seed and number, so that a run of the suite can be repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.chaos.work import LANE, value_of

EVENT_TYPES = ("chaos-a", "chaos-b", "chaos-c")
PAD = "Ebbe und Flut, 潮汐, naïve — «0123456789»; "
"""Text beyond ASCII; with it a payload has about 300 bytes."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One light event. `after`: seconds before which it may not begin; `cancel`: seconds after which its producer
    changes its mind; `discard`: what becomes of it in the dead letters, where it goes there."""

    n: int
    payload: dict[str, Any]
    event_type: str
    priority: int
    dedupe_key: str | None
    after: timedelta | None
    cancel: float | None
    discard: bool

    @property
    def value(self) -> str:
        """The right answer."""
        return value_of(self.payload)


def order(seed: int, n: int, lease_seconds: float) -> Order:
    """The n-th order."""
    chance = random.Random(f"{seed}:{n}")
    do = _deed(chance.random(), chance, lease_seconds)
    late = chance.random() < 0.02
    return Order(
        n=n,
        payload={"n": n, "seed": seed, "do": do, "text": PAD * chance.randint(3, 5)},
        event_type=chance.choice(EVENT_TYPES),
        priority=chance.randint(0, 9) if chance.random() < 0.2 else 5,
        dedupe_key=f"{seed}/{n}" if chance.random() < 0.5 else None,
        after=timedelta(seconds=chance.uniform(1, 10)) if late else None,
        cancel=chance.uniform(0, 2) if chance.random() < (0.3 if late else 0.02) else None,
        discard=chance.random() < 0.5,
    )


def _deed(dice: float, chance: random.Random, lease_seconds: float) -> dict[str, Any]:
    """What the handler does first. Milliseconds are whole, because numbers are normalised on their way."""
    long = round(1300 * lease_seconds)
    table: list[tuple[float, dict[str, Any]]] = [
        (0.05, {"fails": chance.randint(1, 2)}),
        (0.04, {"hands_back": chance.randint(1, 2)}),
        (0.01, {"slow": long}),
        (0.0003, {"stuck": long}),
        (0.004, {"dies": True}),
        (0.05, {"slow": chance.randint(1, 300)}),
    ]
    for share, deed in table:
        if dice < share:
            return deed
        dice -= share
    return {}


def body_of(wanted: Order, due: str | None) -> dict[str, Any]:
    """The order as POST /events takes it."""
    body: dict[str, Any] = {
        "event_type": wanted.event_type,
        "engine_type": LANE,
        "data": wanted.payload,
        "priority": wanted.priority,
        "max_failures": 10,
    }
    if wanted.dedupe_key is not None:
        body["dedupe_key"] = wanted.dedupe_key
    return body if due is None else {**body, "scheduled_for": due}
