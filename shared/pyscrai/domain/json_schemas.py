"""Whether a JSON Schema that an author wrote is one, and what in it is probably a slip."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from pyscrai.domain.canonical import escape

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_KEYWORDS = (
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "const",
    "description",
    "title",
    "default",
    "examples",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "additionalProperties",
    "oneOf",
    "anyOf",
    "allOf",
    "nullable",
)
_DEEPEST = 32


class Fault(NamedTuple):
    """Where in the schema (a JSON Pointer), what is wrong, and what was perhaps meant."""

    pointer: str
    message: str
    hint: str | None


def fault(schema: Mapping[str, Any]) -> Fault | None:
    """What keeps this from being a JSON Schema; None for a good one. Nothing is fetched from anywhere."""
    try:
        jsonschema_rs.validator_for(dict(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions())
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        path = [str(part) for part in getattr(error, "instance_path", None) or []]
        message = str(getattr(error, "message", None) or str(error).partition("\n")[0])
        value: Any = schema
        for part in path:
            value = value[int(part)] if isinstance(value, list) else value[part] if isinstance(value, Mapping) else None
        return Fault("".join(f"/{escape(part)}" for part in path), *_plain(path, value, message))
    return None


def slips(schema: Mapping[str, Any]) -> Iterator[Fault]:
    """What JSON Schema allows and nobody means: a misspelt keyword, a required property that is not declared."""
    yield from _slips(schema, "", 0)


def _plain(path: list[str], value: Any, message: str) -> tuple[str, str | None]:
    key = path[-1] if path else ""
    if key == "type":
        close = difflib.get_close_matches(str(value).lower(), TYPES, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"one of: {', '.join(TYPES)}"
        return f'"{value}" is not a type of JSON Schema', hint
    if key == "required":
        return "required is a list of names", 'as in "required": ["reason"]'
    if key == "pattern":
        return f"the pattern cannot be used: {value}", "no look-around, no backreferences"
    return f"not a JSON Schema: {message}", None


def _slips(schema: Any, pointer: str, depth: int) -> Iterator[Fault]:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    for key in schema:
        close = difflib.get_close_matches(key, _KEYWORDS, n=1, cutoff=0.8)
        if key not in _KEYWORDS and close:
            yield Fault(f"{pointer}/{escape(key)}", f'JSON Schema has no "{key}"', f'did you mean "{close[0]}"?')
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        required = schema.get("required")
        for i, name in enumerate(required if isinstance(required, list) else []):
            if isinstance(name, str) and name not in properties:
                close = difflib.get_close_matches(name, list(properties), n=1)
                hint = f'did you mean "{close[0]}"?' if close else "add it to properties"
                yield Fault(f"{pointer}/required/{i}", f'"{name}" is required but is no property', hint)
        for name, inner in properties.items():
            yield from _slips(inner, f"{pointer}/properties/{escape(name)}", depth + 1)
    yield from _slips(schema.get("items"), f"{pointer}/items", depth + 1)
