"""Rates and lines of model providers, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pyscrai_api.money.lines import LONGEST, Lines
from pyscrai_api.money.rates import Rate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def granted(rate: Rate, units: float, seconds: float, rest: float = 0) -> list[float]:
    """When units are granted to one who asks as often as there is any point in it, after a rest."""
    at, clock, times = NOW, NOW + timedelta(seconds=rest), []
    while (clock - NOW).total_seconds() < seconds:
        if wait := rate.wait(at, clock, units):
            # The clock of a database ticks in microseconds.
            clock += timedelta(microseconds=int(wait * 1e6) + 1)
        else:
            times.append((clock - NOW).total_seconds())
            at = rate.after(at, clock, units)
    return times


def busiest_minute(times: list[float]) -> int:
    return max(sum(1 for each in times if start <= each < start + 60) for start in times)


@pytest.mark.parametrize("per_minute", [1, 2, 3, 9, 10, 11, 59, 60, 61, 500])
def test_no_minute_holds_more_requests_than_were_declared(per_minute: int) -> None:
    times = granted(Rate.of_requests(per_minute), 1, 200)
    assert busiest_minute(times) <= per_minute
    assert len(times) >= 0.85 * per_minute * 200 / 60, "and not many fewer"


@pytest.mark.parametrize(("per_minute", "units"), [(1000, 1), (1000, 7), (1000, 99), (100_000, 3000)])
def test_no_minute_holds_more_tokens_than_were_declared(per_minute: int, units: int) -> None:
    times = granted(Rate.of_tokens(per_minute), units, 200)
    assert busiest_minute(times) * units <= per_minute
    assert len(times) * units >= 0.8 * per_minute * 200 / 60


def test_a_tenth_at_once_also_after_a_long_rest() -> None:
    times = granted(Rate.of_requests(60), 1, 3601, rest=3600)
    assert times == [3600.0] * 7


def test_a_call_of_more_than_the_burst_waits_until_nothing_is_owed() -> None:
    rate = Rate.of_tokens(1000)
    assert rate.wait(NOW, NOW, 5000) == 0
    at = rate.after(NOW, NOW, 5000)
    assert rate.wait(at, NOW, 5000) == pytest.approx(5000 * 60 / 900)
    assert 0 < rate.wait(at, NOW, 1) < rate.wait(at, NOW, 5000)


def test_those_in_line_come_back_one_after_the_other() -> None:
    lines = Lines(chance=lambda low, _: low)
    delays = [lines.ticket("one", NOW, 5, 2) for _ in range(4)]
    assert delays == [5, 6.5, 8, 9.5]
    assert lines.ticket("another", NOW, 1, 1) == 1
    later = NOW + timedelta(seconds=60)
    assert lines.ticket("one", later, 1, 2) == 1, "a line that is over starts anew"


def test_a_long_line_is_looked_at_again_and_nobody_comes_before_the_wait() -> None:
    lines = Lines()
    delays = [lines.ticket("one", NOW, 30, 1) for _ in range(1000)]
    assert min(delays) >= 30
    assert max(delays) <= 30 + LONGEST
    assert len({round(delay) for delay in delays}) > 80, "spread"
