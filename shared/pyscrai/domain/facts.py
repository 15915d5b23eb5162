"""Facts of the world: values that stay what they are declared, or were, to be.

A contradiction is named, the narrator is asked once more, and what still contradicts is not taken over: the fact keeps
its value, and the log says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.scenario import Variable

_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text"}


def contradictions(
    variables: Mapping[str, Variable], before: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """(fact, what is wrong with its new value), in the order of the new facts. A new value of None deletes a fact."""
    for name, value in new.items():
        declared = variables.get(name)
        wrong = _declared(declared, before.get(name), value) if declared else _like_before(before.get(name), value)
        if wrong:
            yield name, f"{name} cannot be {_shown(value)}: {wrong}"


def _declared(variable: Variable, before: Any, value: Any) -> str:
    if value is None:
        return "it is a variable of this world and always has a value"
    if variable.fixed and before is not None and value != before:
        return f"it is {_shown(before)} and never changes"
    if variable.type == "category":
        return "" if value in variable.categories else f"it is one of {', '.join(variable.categories)}"
    if variable.type in ("text", "boolean"):
        kind = str if variable.type == "text" else bool
        return "" if isinstance(value, kind) else f"it is {_KINDS[kind]}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "it is a number"
    if variable.type == "integer" and not float(value).is_integer():
        return "it is a whole number"
    if variable.range is not None and not variable.range[0] <= value <= variable.range[1]:
        return f"it is from {variable.range[0]:g} to {variable.range[1]:g}"
    return ""


def _like_before(before: Any, value: Any) -> str:
    """A fact that nobody declared keeps the kind of value that it has."""
    if before is None or value is None:
        return ""
    old, new = _KINDS.get(type(before)), _KINDS.get(type(value))
    return f"it was {_shown(before)}, {old}" if old is not None and old != new else ""


def _shown(value: Any) -> str:
    text = canonical(normalise(value))
    return text if len(text) <= 80 else f"{text[:79]}…"
