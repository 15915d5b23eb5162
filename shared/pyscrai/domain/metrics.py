"""Metrics that are read from the turn's text, without a model.

RE2 matches in time linear in the text, so no author's pattern can stall the transaction it runs in
(docs/decisions/0005). The text is the turn's actions in seat order, then the world update; the last match wins.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from pyscrai.domain.canonical import SAFE_INTEGER
from pyscrai.domain.errors import InvalidValue
from pyscrai.domain.scenario import Metric

_TRUE = frozenset({"true", "yes", "1"})


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Any:
    """A case-insensitive RE2 pattern. Raises InvalidValue for what RE2 lacks: look-around, backreferences."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise InvalidValue(f"the pattern {pattern!r} cannot be used: {reason}") from None


def read_metric(metric: Metric, texts: list[str]) -> float | int | str | bool | None:
    """The value that `texts`, taken in order, give to a pattern or keyword metric; None where they say nothing.

    A boolean metric is true where there is a match and false where there is none. Group 1 is the value, or
    g1 × 10^g2 where the pattern has `10\\^(` as its second group; of alternative groups, the first that matched.
    """
    if metric.by == "keyword":
        return _keywords(metric, texts)
    if not metric.pattern:
        return None
    found = None
    for text in texts:
        for match in compile_pattern(metric.pattern).finditer(text):
            found = match
    if metric.type == "boolean":
        return found is not None
    return None if found is None else coerce(metric, _matched(metric.pattern, found))


def _matched(pattern: str, match: Any) -> Any:
    groups = match.groups()
    if len(groups) >= 2 and r"10\^(" in pattern and groups[0] and groups[1]:
        try:
            return float(f"{groups[0]}e{groups[1]}")
        except (ValueError, OverflowError):
            return None
    return next((group for group in groups if group), match.group(0))


def _keywords(metric: Metric, texts: list[str]) -> float | int | str | bool | None:
    counts = {word: sum(text.lower().count(word.lower()) for text in texts) for word in metric.keywords}
    total = sum(counts.values())
    if metric.type == "boolean":
        return total > 0
    if metric.type in ("text", "category"):
        return max(counts, key=lambda word: counts[word]) if total else None
    return total


def coerce(metric: Metric, value: Any) -> float | int | str | bool | None:
    """A measured value in the metric's type; None (missing) where it is not of that type or out of range."""
    if value is None:
        return None
    if metric.type == "boolean":
        return value if isinstance(value, bool) else str(value).strip().lower() in _TRUE
    if metric.type == "category":
        return next((c for c in metric.categories if c.lower() == str(value).strip().lower()), None)
    if metric.type == "text":
        return str(value)
    return _number(metric, value)


def _number(metric: Metric, value: Any) -> float | int | None:
    try:
        number = float(str(value).replace(",", "")) if not isinstance(value, bool) else None
    except ValueError:
        return None
    if number is None or number != number or number in (float("inf"), float("-inf")):
        return None
    if metric.range is not None and not metric.range[0] <= number <= metric.range[1]:
        return None
    # Beyond ±(2^53 − 1) an integer has no canonical text: it stays the double that it is.
    if abs(number) <= SAFE_INTEGER and (metric.type == "integer" or number.is_integer()):
        return int(number)
    return number
