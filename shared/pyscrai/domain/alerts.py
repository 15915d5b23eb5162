"""Thresholds of metrics: an `alert` of the log when a value crosses one. Nobody at the table sees it.

A threshold is a number (crossed upwards or downwards) or a comparison such as `">= 8"` (met now, and not before).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pyscrai.domain.conditions import compare
from pyscrai.domain.entry import Draft, draft
from pyscrai.domain.scenario import Metric

COMPARISON = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(\S+)\s*\Z")


def crossed(name: str, metric: Metric, before: Any, value: Any, *, turn: int, seat: str | None) -> Iterator[Draft]:
    """The alerts of one new value; `before` None: the metric had none yet."""
    for threshold, level in metric.thresholds.items():
        direction = _crossed(level, before, value)
        if direction:
            body = {"metric": name, "threshold": threshold, "level": level, "value": value}
            body |= {"before": before, "direction": direction}
            yield draft("alert", body, turn=turn, phase="metrics", seat=seat)


def _crossed(level: Any, before: Any, value: Any) -> str:
    if isinstance(level, str) and (match := COMPARISON.match(level)):
        met = compare(match[1], value, match[2])
        was = before is not None and compare(match[1], before, match[2])
        return "met" if met and not was else ""
    numbers = [one for one in (level, before, value) if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) < 3:
        return ""
    mark, old, new = numbers
    if old < mark <= new:
        return "up"
    return "down" if new < mark <= old else ""
