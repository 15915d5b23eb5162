"""Facts that an author has declared as variables: one or two move a step in a turn, within what they may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pyscrai.domain.chance import chance
from pyscrai.llm.rehearsal.analyse import BAD, tone
from pyscrai.llm.rehearsal.reading import Sheet

_VARIABLE = re.compile(
    r"^(?P<name>.+?): (?P<type>number|integer|boolean|text|category)(?:, in (?P<unit>[^,:]+))?"
    r"(?:, from (?P<low>-?[\d.]+) to (?P<high>-?[\d.]+))?(?:, one of (?P<options>[^:]+?))?"
    r"(?P<fixed>, never changes)?(?:: (?P<about>.*))?$"
)
STEP = 0.08
"""Of the range, at most, in one turn."""


@dataclass(frozen=True)
class Variable:
    """A variable as the prompt tells it, with its latest value as it is written."""

    name: str
    type: str
    low: float | None
    high: float | None
    options: list[str]
    about: str
    now: str


def moved(sheet: Sheet, seed: int) -> dict[str, Any]:
    """New values for some of the variables, in the direction of the turn's tone."""
    found: dict[str, Any] = {}
    for number, variable in enumerate(_variables(sheet)):
        if (chance(seed, variable.name) + sheet.turn + number) % 2:
            value = _next(sheet, seed, variable)
            if value is not None:
                found[variable.name] = value
    return found


def _variables(sheet: Sheet) -> list[Variable]:
    known = dict(item.split(": ", 1) for item in sheet.listed("facts") if ": " in item)
    found = []
    for item in sheet.listed("variables"):
        told = _VARIABLE.match(item)
        if told is None or told["fixed"]:
            continue
        low, high = (float(told["low"]), float(told["high"])) if told["low"] else (None, None)
        options = [option.strip() for option in (told["options"] or "").split(",") if option.strip()]
        now = known.get(told["name"], "")
        found.append(Variable(told["name"], told["type"], low, high, options, told["about"] or "", now))
    return found


def _next(sheet: Sheet, seed: int, variable: Variable) -> Any:
    """The next value; None where it stays. A text is the author's or the model's to write, so it stays here."""
    warmth = tone(sheet)
    if variable.type == "category" and variable.now in variable.options:
        at = variable.options.index(variable.now)
        step = 1 if warmth > 0.2 and chance(seed, variable.name, "step") % 3 == 0 else 0
        return variable.options[min(at + step, len(variable.options) - 1)] if step else None
    if variable.type == "boolean":
        return True if variable.now == "no" and warmth > 0.6 else None
    if variable.type not in ("number", "integer"):
        return None
    try:
        now = float(variable.now.replace(",", ""))
    except ValueError:
        return None
    bounded = variable.low is not None and variable.high is not None
    span = (variable.high or 0) - (variable.low or 0) if bounded else abs(now) or 10.0
    good = -1.0 if BAD.search(f"{variable.name} {variable.about}".replace("_", " ")) else 1.0
    change = span * STEP * (0.4 + chance(seed, variable.name, "by") % 60 / 100) * (1 if warmth * good >= 0 else -1)
    value = now + change
    if variable.low is not None and variable.high is not None:
        value = min(max(value, variable.low), variable.high)
    value = round(value) if variable.type == "integer" or span > 40 else round(value, 2)
    return None if value == now else value
