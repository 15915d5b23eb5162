"""How many requests are taken: a minute, and at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Bucket:
    """`per_minute` requests at once at most, and as many each minute; it fills by and by. `clock` is in seconds."""

    per_minute: float
    clock: Callable[[], float]
    _level: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._level, self._at = max(self.per_minute, 1.0), self.clock()

    def take(self) -> float:
        """0 where the request is taken, else the seconds after which one will be."""
        now = self.clock()
        rate = self.per_minute / 60
        self._level = min(max(self.per_minute, 1.0), self._level + (now - self._at) * rate)
        self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return max((1 - self._level) / rate, 0.001)


def retry_headers(seconds: float) -> dict[str, str]:
    """As OpenAI sends them: whole seconds, and milliseconds for those who read them."""
    return {"retry-after": str(math.ceil(seconds)), "retry-after-ms": str(math.ceil(seconds * 1000))}
