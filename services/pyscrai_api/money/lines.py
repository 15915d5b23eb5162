"""The line of those who wait for room at a provider, so that a crowd does not come back at once.

Each process keeps its own, in memory: a line only spreads, and is never what keeps a limit.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

LONGEST = 120.0
"""Seconds after which who stands in line looks again in any case: those before it may have gone away meanwhile."""
EAGER = 0.75
"""Who comes too early is sent away once more; room that nobody comes for is lost."""


class Lines:
    """`refusals`: how many were sent away by this process, by provider and by whom: our `limits`, or the `provider`."""

    def __init__(self, chance: Callable[[float, float], float] = random.uniform) -> None:
        self.refusals: Counter[tuple[str, str]] = Counter()
        self._chance = chance
        self._ends: dict[str, datetime] = {}

    def refused(self, provider: str, by: str) -> None:
        """Count one that was sent away."""
        self.refusals[provider, by] += 1

    def ticket(self, provider: str, now: datetime, wait: float, pace: float) -> float:
        """Seconds after which the next one in line comes back: at least `wait`, and `pace` after the one before."""
        first = now + timedelta(seconds=wait)
        end = max(self._ends.get(provider, first), first)
        delay = (end - now).total_seconds() + self._chance(0.0, pace)
        if delay > wait + LONGEST:
            return wait + LONGEST * self._chance(0.5, 1.0)
        self._ends[provider] = end + timedelta(seconds=pace * EAGER)
        return delay
