"""Growing pauses between attempts, spread out so that many engines do not come back at one moment."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

_STEPS = 1024


@dataclass
class Backoff:
    """`next()` is a pause in seconds: from `first`, growing by `factor` up to `most`, less up to half of it."""

    first: float
    most: float
    factor: float = 1.6
    _pause: float = 0.0

    def next(self) -> float:
        self._pause = min(self.most, self._pause * self.factor) if self._pause else self.first
        return self._pause * (1 - secrets.randbelow(_STEPS) / _STEPS / 2)

    def reset(self) -> None:
        """After a success."""
        self._pause = 0.0
