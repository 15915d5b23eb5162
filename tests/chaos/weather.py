"""How bad the network is: what happens to a request, and how often."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from typing import Literal

Fate = Literal[
    "passed",
    "doubled",
    "repeated late",
    "cut before it was sent",
    "cut when it was sent",
    "cut before its answer",
    "cut in mid-answer",
    "half of it sent",
    "answered by the gateway",
]


@dataclass(frozen=True, kw_only=True)
class Weather:
    """Probabilities per request. The first group is one fate out of all; `delay` and `hold` come on top."""

    doubled: float = 0.0
    """Sent to two replicas at once; one of the answers is used."""
    repeated_late: float = 0.0
    """Sent once more when its answer has been used."""
    cut_before: float = 0.0
    cut_when_sent: float = 0.0
    """The client's and the replica's line break as soon as the request is out: it is done, or half done."""
    cut_before_answer: float = 0.0
    """It is done, and the client never learns of it."""
    cut_in_answer: float = 0.0
    half_sent: float = 0.0
    gateway: float = 0.0
    """It is done, and a page of the gateway (502, 503, 504) comes in place of the answer."""
    delay: float = 0.0
    hold: float = 0.0
    """Kept back until others have passed it."""
    longest_delay: float = 2.0
    latest_repeat: float = 20.0

    def fate(self, chance: random.Random) -> Fate:
        """What becomes of one request."""
        at = chance.random()
        for name, fate in _FATES.items():
            at -= getattr(self, name)
            if at < 0:
                return fate
        return "passed"

    def times(self, factor: float) -> Weather:
        """So many times as bad."""
        shares = [f.name for f in fields(self) if f.name not in ("longest_delay", "latest_repeat")]
        return Weather(
            longest_delay=self.longest_delay,
            latest_repeat=self.latest_repeat,
            **{name: getattr(self, name) * factor for name in shares},
        )


_FATES: dict[str, Fate] = {
    "doubled": "doubled",
    "repeated_late": "repeated late",
    "cut_before": "cut before it was sent",
    "cut_when_sent": "cut when it was sent",
    "cut_before_answer": "cut before its answer",
    "cut_in_answer": "cut in mid-answer",
    "half_sent": "half of it sent",
    "gateway": "answered by the gateway",
}

CALM = Weather()
STORM = Weather(
    doubled=0.03,
    repeated_late=0.03,
    cut_before=0.01,
    cut_when_sent=0.01,
    cut_before_answer=0.02,
    cut_in_answer=0.01,
    half_sent=0.005,
    gateway=0.01,
    delay=0.08,
    hold=0.04,
)
