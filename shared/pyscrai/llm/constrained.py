"""A JSON Schema in the part that a grammar can hold a model to, with room for the whole of it in the answer.

What is written is held against the full schema afterwards; here only the form is forced. Patterns, formats and bounds
of numbers are left out: grammars made of them are refused, or cost more than they are worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST_ITEMS = 8
MOST_CHARACTERS = 2000
"""Of a list and a string whose schema names no bound: a small model goes on until something stops it."""
LEAST_CHARACTERS = 40
CHARACTERS_PER_TOKEN = 2
"""Fewer than a token of prose has, so that an answer that fills every string still ends in time."""
_KEPT = ("type", "enum", "const", "required", "minItems", "minLength")


def constrained(schema: dict[str, Any], max_tokens: int) -> dict[str, Any]:
    """The schema to force. Its strings are shortened so that all of them together fit into `max_tokens`."""
    wanted = sum(_characters(schema, 1))
    room = max_tokens * CHARACTERS_PER_TOKEN
    result: dict[str, Any] = _narrow(schema, min(1.0, room / wanted) if wanted else 1.0)
    return result


def _narrow(schema: Any, share: float) -> Any:
    if not isinstance(schema, dict):
        return schema
    narrow: dict[str, Any] = {key: schema[key] for key in _KEPT if key in schema}
    for key in ("anyOf", "oneOf"):
        if key in schema:
            narrow["anyOf"] = [_narrow(each, share) for each in schema[key]]
    if "properties" in schema:
        # What has to be there comes in the order in which it is asked for: thinking before doing.
        order = [*schema.get("required", []), *schema["properties"]]
        narrow["properties"] = {
            name: _narrow(schema["properties"][name], share)
            for name in dict.fromkeys(order)
            if name in schema["properties"]
        }
    if "additionalProperties" in schema:
        narrow["additionalProperties"] = _narrow(schema["additionalProperties"], share)
    if "items" in schema:
        narrow["items"] = _narrow(schema["items"], share)
        narrow["maxItems"] = _most_items(schema)
    if _is_text(schema):
        least = schema.get("minLength", 0)
        narrow["maxLength"] = max(least, min(_most_characters(schema), _shortened(schema, share)))
    return narrow


def _shortened(schema: dict[str, Any], share: float) -> int:
    return max(LEAST_CHARACTERS, int(_most_characters(schema) * share))


def _characters(schema: Any, times: int) -> Iterator[int]:
    """The most characters of each string that an answer may have."""
    if not isinstance(schema, dict):
        return
    if _is_text(schema):
        yield times * _most_characters(schema)
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("properties", {}).values()):
        yield from _characters(each, times)
    yield from _characters(schema.get("items"), times * _most_items(schema))
    yield from _characters(schema.get("additionalProperties"), times * min(MOST_ITEMS, schema.get("maxProperties", 8)))


def _is_text(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return "enum" not in schema and "const" not in schema and "string" in kinds


def _most_characters(schema: dict[str, Any]) -> int:
    most: int = schema.get("maxLength", MOST_CHARACTERS)
    return most


def _most_items(schema: dict[str, Any]) -> int:
    least: int = schema.get("minItems", 0)
    most: int = schema.get("maxItems", max(least, MOST_ITEMS))
    return most
