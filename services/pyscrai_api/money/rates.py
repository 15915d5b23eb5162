"""How often something may happen: a rate that is kept in any minute, from one moment in time alone.

The moment (GCRA's theoretical arrival time) says until when what was granted is spread; it costs one column and no
history. A tenth of a minute's allowance may be used at once, the rest comes evenly: so even the busiest minute, with
the burst at its beginning, holds no more than was declared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = 60.0
BURST_SHARE = 10
MICROSECONDS = 1e6


@dataclass(frozen=True)
class Rate:
    """`burst`: units that may be used at once. `interval`: seconds until one more unit may be used."""

    burst: float
    interval: float

    @classmethod
    def of_requests(cls, per_minute: int) -> Rate:
        """So many requests in any minute at most."""
        burst = 1 + per_minute // BURST_SHARE
        interval = MINUTE / (per_minute - burst + 1)
        # Moments are kept to the microsecond: rounded down, a minute could hold one request more.
        return cls(burst, math.ceil(interval * MICROSECONDS) / MICROSECONDS)

    @classmethod
    def of_tokens(cls, per_minute: int) -> Rate:
        """So many tokens in any minute at most, but for a single call of more than a tenth of them."""
        burst = per_minute / BURST_SHARE
        return cls(burst, MINUTE / (per_minute - burst))

    def wait(self, at: datetime, now: datetime, units: float) -> float:
        """Seconds until so many units may be used; 0: now. What is more than the burst waits until nothing is owed."""
        owed = max(0.0, (at - now).total_seconds())
        return max(0.0, min(owed, owed + (units - self.burst) * self.interval))

    def after(self, at: datetime, now: datetime, units: float) -> datetime:
        """The moment once so many units were used."""
        return max(at, now) + timedelta(seconds=units * self.interval)
