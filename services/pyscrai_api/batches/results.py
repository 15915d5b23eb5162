"""What the runs of a sweep come to: distributions and intervals for each variation, differences from the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from pyscrai.contract.batches import BatchRun, Distribution, Ends, Share, VariationResult
from pyscrai.domain import samples

MOST_VALUES = 200
"""Of one metric and variation that are shown one by one, the first ones."""


def summed_up(rows: Sequence[BatchRun]) -> list[VariationResult]:
    """A line for each variation, in their order."""
    by_variation: dict[int, list[BatchRun]] = {}
    for row in rows:
        by_variation.setdefault(row.variation, []).append(row)
    if not by_variation:
        return []
    names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    base = _completed(by_variation[min(by_variation)])
    return [_variation(number, found, base, names) for number, found in sorted(by_variation.items())]


def _completed(rows: Iterable[BatchRun]) -> list[BatchRun]:
    return [row for row in rows if row.status == "completed"]


def _variation(
    number: int, rows: Sequence[BatchRun], base: Sequence[BatchRun], names: Sequence[str]
) -> VariationResult:
    done = _completed(rows)
    first = done == list(base)
    metrics: dict[str, Distribution] = {}
    shares: dict[str, list[Share]] = {}
    missing: dict[str, int] = {}
    for name in names:
        values = [row.metrics[name] for row in done if row.metrics.get(name) is not None]
        missing[name] = len(done) - len(values)
        numbers = _numbers(values)
        if values and numbers is None:
            shares[name] = _shares([_word(value) for value in values])
        elif numbers:
            against = None if first else _numbers([row.metrics[name] for row in base if name in row.metrics])
            found = _distribution(numbers, against, missing[name])
            metrics |= {} if found is None else {name: found}
    started = [row for row in rows if row.run_id is not None]
    return VariationResult(
        number=number,
        varied=rows[0].varied,
        runs=len(rows),
        completed=len(done),
        failed=sum(row.status in ("failed", "refused") for row in rows),
        outcomes=_shares([row.outcome or "none" for row in done]),
        metrics=metrics,
        shares=shares,
        missing={name: count for name, count in missing.items() if count},
        turns=_distribution([float(row.turns) for row in done], _if(not first, [float(row.turns) for row in base])),
        cost=_distribution([float(row.cost) for row in started], _if(not first, [float(row.cost) for row in base])),
    )


def _if(wanted: bool, values: list[float]) -> list[float] | None:
    return values if wanted else None


def _numbers(values: Sequence[Any]) -> list[float] | None:
    """The values as numbers; None where one of them is none (yes and no are words)."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return None
    return [float(value) for value in values]


def _word(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _shares(words: Sequence[str]) -> list[Share]:
    """The most frequent first."""
    counted = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))
    return [
        Share(value=word, n=n, of=len(words), share=n / len(words), interval=_ends(samples.wilson(n, len(words))))
        for word, n in counted
    ]


def _distribution(
    values: Sequence[float], base: Sequence[float] | None = None, missing: int = 0
) -> Distribution | None:
    found = samples.summary(values)
    if found is None:
        return None
    change, change_interval = None, None
    if base:
        change = found.mean - sum(base) / len(base)
        apart = samples.difference(values, base)
        change_interval = None if apart is None else _ends(apart)
    return Distribution(
        n=found.n,
        missing=missing,
        mean=found.mean,
        sd=found.sd,
        min=found.low,
        q1=found.q1,
        median=found.median,
        q3=found.q3,
        max=found.high,
        interval=None if found.interval is None else _ends(found.interval),
        change=change,
        change_interval=change_interval,
        values=list(values)[:MOST_VALUES],
    )


def _ends(interval: samples.Interval) -> Ends:
    return Ends(low=interval.low, high=interval.high)
