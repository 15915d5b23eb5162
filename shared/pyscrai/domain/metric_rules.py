"""The rules of metrics: each must have a way to a value, and no key that its way does not use."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Literal

from pyscrai.domain.alerts import COMPARISON
from pyscrai.domain.canonical import escape
from pyscrai.domain.errors import InvalidValue
from pyscrai.domain.metrics import compile_pattern
from pyscrai.domain.scenario import Metric, Scenario

Found = tuple[str, str, str | None, Literal["error", "warning", "note"]]
"""(pointer, message, hint, severity)"""

_RE2_LACKS = {
    "(?=": "a look-ahead",
    "(?!": "a negative look-ahead",
    "(?<=": "a look-behind",
    "(?<!": "a negative look-behind",
    "(?>": "an atomic group",
    "(?(": "a condition",
    "(?P=": "a backreference",
    **{f"\\{n}": "a backreference" for n in range(1, 10)},
    "\\Z": "\\Z (write \\z)",
    "*+": "a possessive quantifier",
    "++": "a possessive quantifier",
}


def problems(scenario: Scenario) -> Iterator[Found]:
    """What is wrong with each metric."""
    for name, metric in scenario.metrics.items():
        here = f"/metrics/{escape(name)}"
        yield from _seat(scenario, here, metric)
        yield from _way(here, metric)
        yield from _type(here, metric)
        yield from _unused(here, metric)


def _seat(scenario: Scenario, here: str, metric: Metric) -> Iterator[Found]:
    if metric.seat is None:
        return
    if metric.seat not in scenario.seats:
        close = difflib.get_close_matches(metric.seat, scenario.seats, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"the seats are: {', '.join(scenario.seats)}"
        yield f"{here}/seat", f'there is no seat "{metric.seat}"', hint, "error"
    if metric.per_seat:
        yield f"{here}/seat", "per_seat measures every seat, seat only one", "keep one of the two", "error"


def _way(here: str, metric: Metric) -> Iterator[Found]:
    if metric.by == "pattern":
        if not metric.pattern:
            yield here, "a metric by pattern needs a pattern", "add pattern, or by: model", "error"
        else:
            yield from _pattern(here, metric, metric.pattern)
    elif metric.by == "keyword" and not any(word.strip() for word in metric.keywords):
        yield here, "a metric by keyword needs keywords", "add keywords, or by: model", "error"
    elif metric.by == "manual":
        yield f"{here}/by", "set by hand: people give its values while a run is played", None, "note"
    elif metric.by == "model" and not (metric.description.strip() or metric.prompt.strip()):
        yield here, "nothing says what is measured", "add a description", "warning"


def _pattern(here: str, metric: Metric, pattern: str) -> Iterator[Found]:
    try:
        groups = compile_pattern(pattern).groups
    except InvalidValue as error:
        lacking = next((what for sign, what in _RE2_LACKS.items() if sign in pattern), None)
        hint = "patterns are RE2: no look-around, no backreferences"
        if lacking:
            hint = f"it has {lacking}, which RE2 does not know: write it without, or measure by: model"
        yield f"{here}/pattern", str(error), hint, "error"
        return
    if metric.type in ("number", "integer") and not groups:
        message = f"the whole match is the value, and must be a {metric.type}"
        yield f"{here}/pattern", message, r"put the number into a group, as in '(\d+) hours'", "warning"


def _type(here: str, metric: Metric) -> Iterator[Found]:
    if metric.type == "category":
        if not metric.categories:
            yield here, "a metric of type category needs categories", "add categories, or type: text", "error"
        lowered = [category.strip().lower() for category in metric.categories]
        for i, category in enumerate(lowered):
            if category in lowered[:i]:
                yield f"{here}/categories/{i}", f'the category "{metric.categories[i]}" is here twice', None, "error"
        unknown = [word for word in metric.keywords if word.strip().lower() not in lowered]
        if metric.by == "keyword" and unknown:
            yield f"{here}/keywords", f'"{unknown[0]}" is none of the categories', None, "warning"
    elif metric.categories:
        yield f"{here}/categories", f"a metric of type {metric.type} has no categories", "type: category?", "warning"
    if metric.range is not None:
        low, high = metric.range
        if metric.type not in ("number", "integer"):
            yield f"{here}/range", f"a metric of type {metric.type} has no range", None, "warning"
        elif low >= high:
            hint = f"did you mean [{high:g}, {low:g}]?" if low > high else None
            yield f"{here}/range", f"the range [{low:g}, {high:g}] is empty", hint, "error"


def _unused(here: str, metric: Metric) -> Iterator[Found]:
    for key, way in (("pattern", "pattern"), ("keywords", "keyword"), ("prompt", "model")):
        if getattr(metric, key) and metric.by != way:
            yield f"{here}/{key}", f"{key} is not used by: {metric.by}", f"did you mean by: {way}?", "warning"
    for name, level in metric.thresholds.items():
        if not isinstance(level, int | float) and not (isinstance(level, str) and COMPARISON.match(level)):
            what = f"the threshold {name} is neither a number nor a comparison: it is kept and not used"
            yield f"{here}/thresholds/{escape(name)}", what, 'a number, or a text such as ">= 8"', "warning"
