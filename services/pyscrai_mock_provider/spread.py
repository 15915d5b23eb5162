"""Numbers that are fixed or log-normal, drawn from a seed and a place: the same again on every run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from pyscrai.domain.chance import BITS, Place, chance

_NORMAL = NormalDist()
_DRAWS = 1 << BITS


@dataclass(frozen=True)
class Spread:
    """`median` with `sigma` 0 is that number each time; else half of the draws lie below it, log-normally."""

    median: float
    sigma: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.median) and math.isfinite(self.sigma) and self.median >= 0 and self.sigma >= 0):
            raise ValueError(f"{self.median:g},{self.sigma:g}: neither may be negative or endless")

    @classmethod
    def read(cls, text: str) -> Spread:
        """From `0.2` or `lognormal:MEDIAN,SIGMA`. Raises ValueError."""
        kind, colon, told = text.strip().rpartition(":")
        numbers = told.split(",")
        if (kind, len(numbers)) not in ((("lognormal"), 2), ("", 1)) or (colon and not kind):
            raise ValueError(f"{text!r}: write a number, or lognormal:MEDIAN,SIGMA")
        try:
            return cls(*(float(number) for number in numbers))
        except ValueError as error:
            raise ValueError(f"{text!r}: {error}") from None

    def draw(self, seed: int, *place: Place) -> float:
        """The number at this place."""
        if not self.sigma:
            return self.median
        return self.median * math.exp(self.sigma * _NORMAL.inv_cdf((chance(seed, *place) + 0.5) / _DRAWS))
