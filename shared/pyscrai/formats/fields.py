"""Taking values from a foreign document in the type that ours wants: what can be read is, and what was odd is said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pyscrai.domain.canonical import sha256
from pyscrai.domain.scenario import slug
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import Severity, did_you_mean
from pyscrai.formats.words import as_text, as_texts, line_of

Path = tuple[str, ...]


def shown(value: Any) -> str:
    """What kind of value this is, in an author's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else "a mapping"


def text(into: Assembly, path: Path, *origins: tuple[Source | None, str]) -> str | None:
    """Put the first of these that has a value as text; anything else than text or a list of texts is said."""
    taken = first(*origins)
    if taken is None:
        return None
    found = told(into, taken)
    into.put(path, found, taken)
    return found


def told(into: Assembly, taken: Taken) -> str:
    """A value as text; anything else than a text or a list of texts is said."""
    value = taken.value
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(v, str) for v in value)):
        into.say("warning", taken, f'"{taken.key}" is {shown(value)}: it is taken as text', "write a text in quotes")
    return as_text(value)


def texts(into: Assembly, path: Path, *origins: tuple[Source | None, str]) -> list[str]:
    """Put the first of these that has a value as a list of texts."""
    taken = first(*origins)
    if taken is None:
        return []
    value = taken.value
    odd = not isinstance(value, list | str | dict) or (
        isinstance(value, list) and not all(isinstance(item, str) for item in value)
    )
    if odd:
        pointer = taken.pointer
        if isinstance(value, list):
            pointer += f"/{next(i for i, item in enumerate(value) if not isinstance(item, str))}"
        at = taken.source.document.positions.place(pointer)
        message = f'"{taken.key}" is wanted as a list of texts: this is taken as text'
        into.say("warning", at, message, 'as in ["one", "two"]', pointer)
    found = as_texts(value)
    found = found if isinstance(found, list) else [line_of(found)]
    into.put(path, found, taken)
    return found


def first(*origins: tuple[Source | None, str]) -> Taken | None:
    """The first of several places that has a value."""
    for source, key in origins:
        taken = source.take(key) if source else None
        if taken is not None:
            return taken
    return None


def mapping(into: Assembly, source: Source, key: str) -> Source | None:
    """The mapping under a key; another value there is an error."""
    found = source.within(key)
    if found is None and source.data.get(key) is not None:
        source.used.add(key)
        message = f"a mapping (key: value) is wanted here, not {shown(source.data[key])}"
        into.say("error", source.place(key), message, None, source.here(key))
    return found


def number(
    into: Assembly, path: Path, taken: Taken | None, low: float, high: float, *, whole: bool = False
) -> float | None:
    """Put a number between two bounds; one written as text is read, anything else is an error."""
    if taken is None:
        return None
    value = _as_number(taken.value)
    kind = "a whole number" if whole else "a number"
    if value is None or (whole and value != int(value)):
        into.say("error", taken, f"{kind} is wanted here, not {shown(taken.value)}")
        return None
    if not low <= value <= high:
        into.say("error", taken, f"{kind} between {low:g} and {high:g} is wanted here, not {value:g}")
        return None
    found = int(value) if whole else value
    into.put(path, found, taken)
    return found


def _as_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e300 else None


def truth(into: Assembly, taken: Taken | None) -> bool | None:
    """True or false, also where it was written as text; anything else is an error."""
    if taken is None or isinstance(taken.value, bool):
        return taken.value if taken else None
    word = str(taken.value).strip().lower()
    if word in ("true", "yes", "false", "no"):
        into.say("warning", taken, f'"{taken.value}" is text: it is taken as {word in ("true", "yes")}'.lower())
        return word in ("true", "yes")
    into.say("error", taken, f"true or false is wanted here, not {shown(taken.value)}", "without quotes")
    return None


def named(text: str) -> str:
    """What somebody's words are called here: their slug, or a name of its own where no letter of it can be one."""
    if re.search(r"[a-z0-9]", text.lower()):
        return slug(text)
    return f"name-{sha256(text)[:8]}"


def missing(
    into: Assembly,
    severity: Severity,
    source: Source,
    key: str,
    message: str,
    known: Iterable[str] = (),
    hint: str | None = None,
) -> None:
    """Say that a key is missing; where a mistyped one stands in its place, there, and what was meant."""
    ours = set(known)
    mistyped = next((k for k in source.data if k not in ours and k not in source.used and did_you_mean(k, [key])), None)
    if key in source.data:
        into.say(severity, source.place(key), message, f'"{key}" is a text', source.here(key))
    elif mistyped is None:
        into.say(severity, source, message, hint or f'add "{key}"')
    else:
        at = source.document.positions.key(source.here(mistyped))
        into.say(severity, at, f'{message}, but "{mistyped}"', f'did you mean "{key}"?', source.here(mistyped))
