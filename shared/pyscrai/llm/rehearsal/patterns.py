"""A text that a regular expression matches: for result schemas that ask for a code or a number in letters."""

from __future__ import annotations

import re

# The parser of the standard library's own expressions; private, but the same since Python 3.11.
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from pyscrai.domain.chance import chance

_CATEGORIES = {"CATEGORY_DIGIT": "4", "CATEGORY_WORD": "a", "CATEGORY_SPACE": " ", "CATEGORY_NOT_DIGIT": "a"}
_CATEGORIES |= {"CATEGORY_NOT_WORD": "-", "CATEGORY_NOT_SPACE": "a"}


def example(pattern: str, seed: int, place: str) -> str:
    """One that matches, for the usual constructs; for others an honest try, which the check of the answer catches."""
    try:
        tree = _parser.parse(pattern)
    except (re.error, RecursionError):
        return ""
    return "".join(_one(code, value, chance(seed, place, "pattern")) for code, value in tree)


def _one(code: Any, value: Any, n: int) -> str:
    name = str(code)
    if name == "LITERAL":
        return chr(value)
    if name == "ANY":
        return "a"
    if name == "NOT_LITERAL":
        return "b" if value == ord("a") else "a"
    if name == "IN":
        return _of_set(value, n)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, inner = value
        times = max(least, min(1, int(most)))
        return "".join(_one(c, v, n + i) for i in range(times) for c, v in inner)
    if name == "SUBPATTERN":
        return "".join(_one(c, v, n) for c, v in value[-1])
    if name == "BRANCH":
        return "".join(_one(c, v, n) for c, v in value[1][n % len(value[1])])
    return ""


def _of_set(parts: Any, n: int) -> str:
    if str(parts[0][0]) == "NEGATE":
        taken = "".join(_of_set([part], n) for part in parts[1:])
        return next(letter for letter in "axz059-_ " if letter not in taken)
    code, value = parts[n % len(parts)]
    name = str(code)
    if name == "RANGE":
        return chr(value[0] + n % (value[1] - value[0] + 1))
    return chr(value) if name == "LITERAL" else _CATEGORIES.get(str(value), "a")
