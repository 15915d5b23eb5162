"""Statistics against published values."""

from __future__ import annotations

import math

import pytest

from pyscrai.domain.samples import Interval, difference, quantile, summary, t_quantile, wilson


@pytest.mark.parametrize(
    ("freedom", "level", "expected"),
    [
        # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, upper critical values of Student's t.
        (1, 0.95, 12.706),
        (2, 0.95, 4.303),
        (4, 0.95, 2.776),
        (9, 0.95, 2.262),
        (30, 0.95, 2.042),
        (100, 0.95, 1.984),
        (5, 0.99, 4.032),
        (10, 0.90, 1.812),
        (1e7, 0.95, 1.960),
    ],
)
def test_quantiles_of_t_are_those_of_the_tables(freedom: float, level: float, expected: float) -> None:
    assert round(t_quantile(freedom, level), 3) == expected


def test_a_mean_has_its_interval() -> None:
    found = summary([4.0, 5.0, 6.0, 7.0])
    assert found is not None
    assert found.interval is not None
    assert (found.n, found.mean, found.median, found.q1, found.q3) == (4, 5.5, 5.5, 4.75, 6.25)
    assert found.sd == pytest.approx(1.290994)
    # 5.5 ± 3.182 · 1.290994 / 2
    assert (found.interval.low, found.interval.high) == pytest.approx((3.4457, 7.5543), abs=1e-4)


def test_one_value_has_no_interval_and_none_no_summary() -> None:
    found = summary([3.0])
    assert found is not None
    assert (found.sd, found.interval, found.median) == (None, None, 3.0)
    assert summary([]) is None


def test_the_difference_of_means_is_welchs() -> None:
    # "Student's sleep data", as in R's help for t.test: 95 percent confidence interval -3.3654832 0.2054832.
    one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    other = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = difference(one, other)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((-3.3654832, 0.2054832), abs=1e-7)
    assert difference([1.0], other) is None
    assert difference([2.0, 2.0], [1.0, 1.0]) == Interval(low=1.0, high=1.0)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_shares_have_wilsons_interval(hits: int, n: int, low: float, high: float) -> None:
    found = wilson(hits, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_quantiles_reach_both_ends() -> None:
    values = [1.0, 2.0, 10.0]
    assert [quantile(values, share) for share in (0, 0.5, 1)] == [1.0, 2.0, 10.0]
    assert math.isclose(quantile(values, 0.75), 6.0)
