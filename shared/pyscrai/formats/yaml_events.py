"""YAML text as parsing events, resolved as YAML 1.2's core schema does.

PyYAML's own resolver follows YAML 1.1, where `no`, `on` and `12:30` are not text; an author means text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from pyscrai.formats.tree import Event, Mark, Unreadable

NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
INT = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
FLOAT = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
_TAG = "tag:yaml.org,2002:"
_CONTAINERS = {None, "!", f"{_TAG}map", f"{_TAG}seq"}
_HINTS = (
    ("cannot start any token", "YAML is indented with spaces, never with tabs; quote a text that starts with @ ` or %"),
    ("mapping values are not allowed", 'a text with ": " in it needs quotes around it; or is the indentation wrong?'),
    ("could not find expected ':'", "is a colon missing, or a quote or bracket left open above?"),
    ("expected <block end>", "check the indentation: lines of one block start in the same column"),
    ("did not find expected key", "check the indentation: keys of one block start in the same column"),
    ("did not find expected '-' indicator", "check the indentation: items of one list start in the same column"),
    ("expected ',' or", "is a comma or a closing bracket missing?"),
    ("unexpected end of stream", "is a quote left open?"),
    ("found undefined alias", "an alias (*name) needs its anchor (&name) above it"),
    ("unknown escape character", r"in double quotes a backslash starts an escape; use single quotes for patterns"),
    ("undefined tag handle", 'a text that starts with "!" needs quotes'),
    ("control characters", "delete the invisible control character"),
    ("special characters are not allowed", "delete the invisible control character"),
    ("did not find expected alphabetic", 'a text that starts with "*" or "&" needs quotes'),
    ("expected alphabetic or numeric", 'a text that starts with "*" or "&" needs quotes'),
)
_FASTEST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def yaml_events(text: str, loader: Any = _FASTEST) -> Iterator[Event]:
    """The events of one YAML document. Raises Unreadable at the first thing that is not YAML."""
    documents = 0
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Unreadable(_mark(event), 'a second document starts here ("---")', "one document a file")
            made = _event(event)
            if made is not None:
                yield made
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error) from None
    except yaml.reader.ReaderError as error:
        raise _unreadable_character(error, text) from None


def _event(event: Any) -> Event | None:
    if isinstance(event, yaml.AliasEvent):
        return Event("alias", _mark(event), anchor=event.anchor)
    if isinstance(event, yaml.ScalarEvent):
        plain = not event.style and bool(event.implicit[0])
        value = resolve(event.value, _mark(event)) if plain else _tagged(event)
        merge = plain and event.value == "<<"
        return Event("scalar", _mark(event), value, event.anchor, raw=event.value, merge=merge)
    if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
        if event.tag not in _CONTAINERS:
            raise _unknown_tag(event)
        if isinstance(event, yaml.MappingStartEvent):
            return Event("map", _mark(event), anchor=event.anchor)
        return Event("list", _mark(event), anchor=event.anchor)
    if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
        return Event("end", _mark(event))
    return None


def resolve(text: str, mark: Mark) -> str | int | float | bool | None:
    """A plain scalar by the core schema. Raises Unreadable for a number with thousands of digits."""
    if NULL.match(text):
        return None
    if BOOL.match(text):
        return text.lower() == "true"
    try:
        if INT.match(text):
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            return int(text[2:] if base != 10 else text, base)
    except ValueError:
        raise Unreadable(mark, "a number with too many digits", "put quotes around it if it is text") from None
    if FLOAT.match(text):
        return float(text.replace(".", "", 1) if text.lower().lstrip("+-") in (".inf", ".nan") else text)
    return text


def _tagged(event: yaml.ScalarEvent) -> str | int | float | bool | None:
    """A quoted, block or tagged scalar: text, unless one of the core tags says otherwise."""
    tag = event.tag or ""
    if tag in ("", "!", f"{_TAG}str"):
        return str(event.value)
    wanted = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}.get(tag.removeprefix(_TAG))
    if wanted is None or not tag.startswith(_TAG):
        raise _unknown_tag(event)
    value = resolve(event.value, _mark(event))
    if not isinstance(value, wanted):  # type: ignore[arg-type]
        raise Unreadable(_mark(event), f'"{event.value}" is not what its tag says', "leave the tag out")
    return value


def _unknown_tag(event: Any) -> Unreadable:
    return Unreadable(_mark(event), f'the tag "{event.tag}" is not supported', 'quote a text that starts with "!"')


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line, event.start_mark.column)


def _unreadable(error: yaml.MarkedYAMLError) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "not YAML"
    shown = problem.replace("\t", "\\t")
    start = error.context_mark
    if error.context and mark and start and start.line != mark.line:
        shown = f"{shown} on line {mark.line + 1} ({error.context}, which starts on line {start.line + 1})"
        if "scanning a quoted" in error.context or "flow" in error.context:
            mark = start  # what was left open is the mistake, not where the parser noticed
    hint = next((hint for needle, hint in _HINTS if needle in problem), None)
    return Unreadable(Mark(mark.line, mark.column) if mark else Mark(0, 0), f"not valid YAML: {shown}", hint)


def _unreadable_character(error: yaml.reader.ReaderError, text: str) -> Unreadable:
    at = error.position if isinstance(error.position, int) else 0
    if isinstance(error.encoding, str) and error.encoding != "unicode":
        at = len(text.encode()[:at].decode(errors="ignore"))
    line = text.count("\n", 0, at)
    mark = Mark(line, at - (text.rfind("\n", 0, at) + 1))
    return Unreadable(mark, "a character that no YAML file may have", "delete the invisible control character")
