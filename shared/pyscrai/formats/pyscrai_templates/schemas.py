"""`data_schema {field: "string"}` → JSON Schema."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.json_schemas import TYPES

WORDS = {
    "str": "string",
    "text": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "dict": "object",
    "map": "object",
    "mapping": "object",
    "json": "object",
    "list": "array",
    "tuple": "array",
    "set": "array",
    "datetime": "string",
    "date": "string",
    "timestamp": "string",
    "uuid": "string",
    "enum": "string",
    **{kind: kind for kind in TYPES},
}
ANY = ("any", "mixed", "")
_SCHEMA_KEYS = {"type", "properties", "$ref", "oneOf", "anyOf", "allOf", "enum", "const", "items"}


def is_schema(value: dict[str, Any]) -> bool:
    """Whether a mapping is JSON Schema already: it says `properties`, or a type together with words of schemas."""
    if isinstance(value.get("properties"), dict):
        return True
    kind = value.get("type")
    if isinstance(kind, str | list):
        others = set(value) - {"type"}
        told = {"description", "title", "default", "examples", "format", "minimum", "maximum", "required", "pattern"}
        return others <= told | _SCHEMA_KEYS | {"minLength", "maxLength", "minItems", "maxItems"} and (
            not others or bool(others & (told | _SCHEMA_KEYS))
        )
    return bool(set(value) & (_SCHEMA_KEYS - {"type"}))


def as_schema(value: dict[str, Any]) -> dict[str, Any]:
    """The whole as a schema of an object."""
    if not value or (is_schema(value) and value.get("type", "object") not in ANY):
        return value
    return {"type": "object", "properties": as_properties(value)[0]}


def as_properties(value: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """field → JSON Schema, and the fields whose type is no word that is known here (they may be anything)."""
    if isinstance(value.get("properties"), dict):
        value = value["properties"]
    found: dict[str, Any] = {}
    unknown: list[str] = []
    for field, told in value.items():
        schema = _property(told)
        if schema is None:
            unknown.append(field)
        found[field] = schema or {}
    return found, unknown


def _property(told: Any) -> dict[str, Any] | None:
    if isinstance(told, str):
        return _word(told)
    if isinstance(told, dict):
        if is_schema(told):
            kind = told.get("type")
            return {**told, "type": WORDS.get(kind.lower(), kind)} if isinstance(kind, str) else told
        properties, unknown = as_properties(told)
        return None if unknown else {"type": "object", "properties": properties}
    if isinstance(told, list):
        if told and all(isinstance(item, str) and item.lower() in WORDS for item in told) and len(told) == 1:
            return {"type": "array", "items": _word(told[0])}
        return {"enum": told} if told else None
    return {} if told is None else None


def _word(word: str) -> dict[str, Any] | None:
    word = word.strip().lower()
    optional = word.endswith("?")
    word = word.removesuffix("?").removeprefix("optional[").strip()
    for opening, closing in (("array<", ">"), ("list<", ">"), ("list[", "]"), ("array[", "]")):
        if word.startswith(opening) and word.endswith(closing):
            inner = _word(word[len(opening) : -1])
            return {"type": "array", "items": inner} if inner is not None else None
    if word.endswith("[]"):
        inner = _word(word[:-2])
        return {"type": "array", "items": inner} if inner is not None else None
    if word in ANY:
        return {}
    kind = WORDS.get(word.rstrip("]"))
    if kind is None:
        return None
    return {"type": [kind, "null"]} if optional else {"type": kind}
