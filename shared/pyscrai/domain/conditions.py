"""Conditions on metrics, as authors write them: `trust >= 0.8 and signed == true or anger[union] > 9`.

`and` binds tighter than `or`. A metric without a value makes its comparison false: missing is missing, never 0.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pyscrai.domain.errors import InvalidValue

Value = float | str | bool
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_COMPARISON = re.compile(
    r"""\s*(?P<metric>[a-z0-9][a-z0-9._-]*)\s*(?:\[\s*(?P<seat>[a-z0-9][a-z0-9._-]*)\s*\])?
        \s*(?P<op>>=|<=|==|!=|>|<|=)\s*(?P<value>'[^']*'|"[^"]*"|[^\s'"=<>!]\S*)\s*\Z""",
    re.VERBOSE,
)
_SHAPE = "write it as `metric >= 0.8`, joined by `and` or `or`; one seat's value is `metric[seat]`"


@dataclass(frozen=True)
class Comparison:
    """One metric (of one seat, where it is kept per seat) against a constant."""

    metric: str
    seat: str | None
    op: str
    value: Value

    def holds(self, metrics: Mapping[str, Any]) -> bool:
        found = metrics.get(self.metric)
        if isinstance(found, dict):
            found = found.get(self.seat) if self.seat else None
        elif self.seat:
            return False
        return _holds(self.op, found, self.value)


@dataclass(frozen=True)
class Condition:
    """True where all comparisons of any one group hold."""

    any_of: tuple[tuple[Comparison, ...], ...]

    @property
    def metrics(self) -> set[str]:
        return {c.metric for group in self.any_of for c in group}

    @property
    def seats(self) -> set[str]:
        return {c.seat for group in self.any_of for c in group if c.seat}

    def holds(self, metrics: Mapping[str, Any]) -> bool:
        """Whether it holds for these values: a number, text or truth per metric, or a mapping seat → value."""
        return any(all(c.holds(metrics) for c in group) for group in self.any_of)


def parse(text: str) -> Condition:
    """Read a condition. Raises InvalidValue with what to write instead."""
    groups = [
        tuple(_comparison(part, text) for part in re.split(r"\s+and\s+", group))
        for group in re.split(r"\s+or\s+", text)
    ]
    return Condition(tuple(groups))


def compare(op: str, found: Any, constant: str) -> bool:
    """Whether a value compares as told to a constant in an author's words; False where they are of different kinds."""
    return _holds(op, found, _constant(constant))


def _holds(op: str, found: Any, value: Value) -> bool:
    if found is None or isinstance(found, bool) != isinstance(value, bool):
        return False
    if isinstance(found, str) != isinstance(value, str):
        return False
    return _OPERATORS[op](found, value)


def _comparison(part: str, whole: str) -> Comparison:
    match = _COMPARISON.match(part)
    if match is None:
        raise InvalidValue(f"cannot read the condition {whole!r} at {part.strip()!r}: {_SHAPE}")
    value = _constant(match["value"])
    op = "==" if match["op"] == "=" else match["op"]
    if isinstance(value, str | bool) and op not in ("==", "!="):
        raise InvalidValue(f"in the condition {whole!r}, {op} needs a number, not {match['value']}")
    return Comparison(match["metric"], match["seat"], op, value)


def _constant(text: str) -> Value:
    if text[0] in "'\"":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text
