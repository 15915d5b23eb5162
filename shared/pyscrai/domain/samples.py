"""What a sample says: quantiles, means and shares with their intervals. Pure, and without a library of statistics.

Means: Student's t (two-sided); differences of means: Welch; shares: Wilson's score. The distribution of t is taken
through the incomplete beta function, by its continued fraction: M. Abramowitz, I. A. Stegun, Handbook of Mathematical
Functions (1964), 26.5.8 and 26.7.1; E. B. Wilson, JASA 22 (1927) 209; B. L. Welch, Biometrika 34 (1947) 28.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, lgamma, log, sqrt

LEVEL = 0.95
_TINY = 1e-300
_CLOSE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Both ends of a 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Numbers of one kind. `interval` is that of the mean; None, as `sd`, where there are fewer than two."""

    n: int
    mean: float
    sd: float | None
    low: float
    q1: float
    median: float
    q3: float
    high: float
    interval: Interval | None


def summary(values: Sequence[float]) -> Summary | None:
    """None of no values. Quartiles are interpolated between the values, ends included (type 7 of Hyndman and Fan)."""
    if not values:
        return None
    ordered = sorted(values)
    mean = statistics.fmean(ordered)
    sd = statistics.stdev(ordered) if len(ordered) > 1 else None
    interval = None
    if sd is not None:
        reach = t_quantile(len(ordered) - 1) * sd / sqrt(len(ordered))
        interval = Interval(low=mean - reach, high=mean + reach)
    return Summary(
        n=len(ordered),
        mean=mean,
        sd=sd,
        low=ordered[0],
        q1=quantile(ordered, 0.25),
        median=quantile(ordered, 0.5),
        q3=quantile(ordered, 0.75),
        high=ordered[-1],
        interval=interval,
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of values in order, at least one."""
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def difference(values: Sequence[float], base: Sequence[float]) -> Interval | None:
    """The interval of mean(values) − mean(base) by Welch; None where either has fewer than two."""
    if len(values) < 2 or len(base) < 2:
        return None
    one, other = statistics.variance(values) / len(values), statistics.variance(base) / len(base)
    apart = statistics.fmean(values) - statistics.fmean(base)
    if one + other == 0:
        return Interval(low=apart, high=apart)
    freedom = (one + other) ** 2 / (one**2 / (len(values) - 1) + other**2 / (len(base) - 1))
    reach = t_quantile(freedom) * sqrt(one + other)
    return Interval(low=apart - reach, high=apart + reach)


def wilson(hits: int, n: int) -> Interval:
    """The interval of a share of `hits` in `n`, at least one."""
    z = statistics.NormalDist().inv_cdf(0.5 + LEVEL / 2)
    share, square = hits / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    reach = z * sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return Interval(low=max(0.0, middle - reach), high=min(1.0, middle + reach))


def t_quantile(freedom: float, level: float = LEVEL) -> float:
    """How many standard errors on either side hold `level` of Student's t with so many degrees of freedom."""
    outside = 1 - level
    low, high = 0.0, 2.0
    while _beyond(high, freedom) > outside:
        high *= 2
        if high > 1e12:
            return inf
    for _ in range(200):
        middle = (low + high) / 2
        if _beyond(middle, freedom) > outside:
            low = middle
        else:
            high = middle
        if high - low < _CLOSE * high:
            break
    return (low + high) / 2


def _beyond(t: float, freedom: float) -> float:
    """The probability of being further from 0 than t, on either side."""
    return _beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction, by Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            result *= c * d
        if abs(c * d - 1) < _CLOSE / 10:
            break
    return result


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
