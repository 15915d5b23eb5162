"""The renderer `liquid@1`: strict about names when a prompt is posted, lenient and deterministic when it is used."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pyscrai.prompting.errors import PromptError

if TYPE_CHECKING:
    from liquid.exceptions import LiquidError
    from liquid.template import BoundTemplate

RENDERER = "liquid@1"
MAX_TEMPLATE = 64 * 1024
"""Characters of one template."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong in a template; `hint` is a name that was perhaps meant."""

    line: int | None
    message: str
    hint: str | None = None


def variables(view: Mapping[str, Any] | None, data: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a prompt sees: the view's names and the payload's at the top (the view wins), and the payload as `data`."""
    return {**(data or {}), **(view or {}), "data": dict(data or {})}


def render(template: str, values: Mapping[str, Any]) -> str:
    """The prompt's text. Missing variables are empty, blank lines are tidied up.

    Raises PromptError, with a line where one is known, for what `check` would have found and for exceeded bounds:
    256 KB of output, 20,000 iterations, 64 MB through filters, 20 levels of nesting.
    """
    from liquid.exceptions import LiquidError

    compiled = _compiled(template)
    try:
        return tidy(compiled.render(**{str(name): value for name, value in values.items()}))
    except LiquidError as error:
        raise _prompt_error(error, template) from error


def check(template: str, known_variables: Collection[str]) -> list[Problem]:
    """What is wrong in `template`, before anybody uses it: syntax, unknown tags, filters and variables."""
    try:
        compiled = _compiled(template)
    except PromptError as error:
        return [Problem(error.line, error.message)]
    found = compiled.analyze()
    problems = []
    for places in found.globals.values():
        for place in places:
            if wrong := _unknown(place.segments, known_variables):
                problems.append(Problem(_line(template, place.span.index), *wrong))
    filters = compiled.env.filters
    for name, spans in found.filters.items():
        if name not in filters:
            message, hint = _message("filter", name, list(filters))
            problems += [Problem(_line(template, span.index), message, hint) for span in spans]
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.message))


def tidy(text: str) -> str:
    """Text without trailing blanks, without blank lines between items of one list, and with single blank lines."""
    kept: list[str] = []
    blank = False
    for line in text.split("\n"):
        line = line.rstrip(" \t")
        if line:
            if blank and not (kept and kept[-1].startswith("- ") and line.startswith("- ")):
                kept.append("")
            kept.append(line)
        blank = not line
    return "\n".join(kept).strip()


@lru_cache(maxsize=512)
def _compiled(template: str) -> BoundTemplate:
    from liquid.exceptions import LiquidError

    from pyscrai.prompting.sandbox import SANDBOX

    if len(template) > MAX_TEMPLATE:
        raise PromptError(f"the template has {len(template):,} characters, {MAX_TEMPLATE:,} are allowed")
    try:
        return SANDBOX.from_string(template)
    except LiquidError as error:
        raise _prompt_error(error, template) from error


def _prompt_error(error: LiquidError, template: str) -> PromptError:
    message = re.sub(r"\s*\n.*", "", str(error.message or error), flags=re.DOTALL)
    token = error.token
    line = _line(template, token.start_index) if token is not None and token.start_index >= 0 else None
    return PromptError(message, line)


def _line(template: str, index: int) -> int:
    return template.count("\n", 0, max(index, 0)) + 1


def _unknown(segments: list[Any], known: Collection[str]) -> tuple[str, str | None] | None:
    """The message and hint for a variable that nobody will fill; None where it is known or cannot be told."""
    root = str(segments[0])
    roots = {name.partition(".")[0] for name in known}
    if root not in roots:
        return _message("variable", root, list(roots))
    fields = {name.partition(".")[2] for name in known if name.startswith(f"{root}.")}
    if not fields or len(segments) < 2 or not isinstance(segments[1], str) or segments[1] in fields | {"size"}:
        return None
    return _message("variable", f"{root}.{segments[1]}", [f"{root}.{field}" for field in fields])


def _message(what: str, name: str, candidates: list[str]) -> tuple[str, str | None]:
    close = difflib.get_close_matches(name, candidates, n=1)
    return f"unknown {what} '{name}'", close[0] if close else None
