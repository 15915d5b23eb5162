"""A value for any JSON Schema: what a composer suggests where it fits, else something plausible."""

from __future__ import annotations

import math
import re
from typing import Any

from pyscrai.domain.chance import chance, pick
from pyscrai.llm.rehearsal.words import bare, cut, sentence

MAX_DEPTH = 12
_FORMATS = {
    "date": "2031-05-0{n}",
    "date-time": "2031-05-0{n}T12:00:00Z",
    "time": "1{n}:30:00Z",
    "duration": "P{n}D",
    "email": "person{n}@example.org",
    "idn-email": "person{n}@example.org",
    "hostname": "host{n}.example.org",
    "ipv4": "192.0.2.{n}",
    "ipv6": "2001:db8::{n}",
    "uri": "https://example.org/{n}",
    "uri-reference": "/{n}",
    "iri": "https://example.org/{n}",
    "uuid": "00000000-0000-4000-8000-00000000000{n}",
    "json-pointer": "/{n}",
    "regex": "^.{{{n}}}$",
}


class Filler:
    """Fills schemas from `words`: sentences of the prompt, taken in turn."""

    def __init__(self, root: dict[str, Any], seed: int, words: list[str]) -> None:
        self.root = root
        self.seed = seed
        self.words = [word for word in words if word.strip()] or ["a rehearsal"]
        self.taken = 0

    def fill(self, schema: Any, suggestion: Any = None, place: str = "", depth: int = 0) -> Any:
        """A value that fits `schema`; `suggestion` where it does."""
        if not isinstance(schema, dict):
            return suggestion
        schema = self._merged(schema, depth, suggestion)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return suggestion if suggestion in schema["enum"] else pick(self.seed, place, options=schema["enum"])
        kind = self._kind(schema, suggestion)
        if kind == "object":
            return self._object(schema, suggestion, place, depth)
        if kind == "array":
            return self._array(schema, suggestion, place, depth)
        if kind == "string":
            return self._string(schema, suggestion, place)
        if kind in ("number", "integer"):
            return self._number(schema, suggestion, place, whole=kind == "integer")
        if kind == "boolean":
            return suggestion if isinstance(suggestion, bool) else chance(self.seed, place) % 3 > 0
        return None

    def _merged(self, schema: dict[str, Any], depth: int, suggestion: Any) -> dict[str, Any]:
        """References followed, allOf folded in, of anyOf and oneOf the option meant, else the first usable."""
        for _ in range(MAX_DEPTH):
            if "$ref" in schema:
                schema = {**self._at(str(schema["$ref"])), **{k: v for k, v in schema.items() if k != "$ref"}}
            elif "allOf" in schema:
                parts = schema["allOf"]
                schema = {k: v for k, v in schema.items() if k != "allOf"}
                for part in parts:
                    schema = _combined(schema, part)
            elif "anyOf" in schema or "oneOf" in schema:
                key = "anyOf" if "anyOf" in schema else "oneOf"
                options = [o for o in schema[key] if isinstance(o, dict)]
                nulls = [o for o in options if o.get("type") == "null"]
                usable = [o for o in options if o.get("type") != "null"] or options
                usable = [o for o in usable if _meant(o, suggestion)] or usable
                chosen = nulls[0] if nulls and depth >= MAX_DEPTH // 2 else usable[0] if usable else {}
                schema = _combined({k: v for k, v in schema.items() if k != key}, chosen)
            else:
                break
        return schema

    def _at(self, ref: str) -> dict[str, Any]:
        found: Any = self.root
        for segment in ref.removeprefix("#").strip("/").split("/"):
            name = segment.replace("~1", "/").replace("~0", "~")
            found = found.get(name, {}) if name and isinstance(found, dict) else found
        return found if isinstance(found, dict) else {}

    def _kind(self, schema: dict[str, Any], suggestion: Any) -> str:
        told = schema.get("type")
        if isinstance(told, str):
            return told
        if isinstance(told, list) and told:
            if suggestion is None and "null" in told and "suggested" in schema:
                return "null"
            fitting = [kind for kind in told if _is(kind, suggestion)]
            return str((fitting or [kind for kind in told if kind != "null"] or told)[0])
        implied = {"properties": "object", "items": "array", "minLength": "string", "maxLength": "string"}
        implied |= {"minimum": "number", "maximum": "number", "format": "string", "pattern": "string"}
        return next((kind for key, kind in implied.items() if key in schema), "string")

    def _object(self, schema: dict[str, Any], suggestion: Any, place: str, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        told = suggestion if isinstance(suggestion, dict) else {}
        made: dict[str, Any] = {}
        for name in [*properties, *(name for name in required if name not in properties)]:
            if name not in required and (depth >= MAX_DEPTH // 2 or (told and name not in told)):
                continue
            inner = properties.get(name, {"type": "string"})
            if name in told and told[name] is None and _nullable(inner):
                made[name] = None
                continue
            made[name] = self.fill(inner, told.get(name), f"{place}/{name}", depth + 1)
        extra = schema.get("additionalProperties", True)
        if extra is not False:
            rest = {name: value for name, value in told.items() if name not in made}
            for name, value in rest.items():
                made[name] = self.fill(extra, value, f"{place}/{name}", depth + 1) if isinstance(extra, dict) else value
        for number in range(len(made), int(schema.get("minProperties", 0))):
            made[f"item_{number + 1}"] = self.fill(
                extra if isinstance(extra, dict) else {"type": "string"}, None, place
            )
        limit = schema.get("maxProperties")
        return made if limit is None else dict(list(made.items())[: int(limit)])

    def _array(self, schema: dict[str, Any], suggestion: Any, place: str, depth: int) -> list[Any]:
        least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", 1000))
        told = suggestion if isinstance(suggestion, list) else None
        count = len(told) if told is not None else max(least, 0 if depth >= MAX_DEPTH // 2 else 2)
        count = min(max(count, least), most)
        first = schema.get("prefixItems", [])
        made: list[Any] = []
        for number in range(count):
            inner = first[number] if number < len(first) else schema.get("items", {"type": "string"})
            made.append(
                self.fill(inner, told[number] if told and number < len(told) else None, f"{place}/{number}", depth + 1)
            )
        if schema.get("uniqueItems"):
            made = [item for number, item in enumerate(made) if item not in made[:number]]
            options = schema.get("items", {}).get("enum", []) if isinstance(schema.get("items"), dict) else []
            made += [item for item in options if item not in made][: max(0, least - len(made))]
        return made

    def _string(self, schema: dict[str, Any], suggestion: Any, place: str) -> str:
        most = int(schema.get("maxLength", 100_000))
        least = int(schema.get("minLength", 0))
        if isinstance(suggestion, str) and len(suggestion) >= least and _matches(schema, suggestion):
            return cut(suggestion, most)
        n = 1 + chance(self.seed, place, "format") % 8
        if "format" in schema and schema["format"] in _FORMATS:
            return _FORMATS[schema["format"]].format(n=n)
        if "pattern" in schema:
            from pyscrai.llm.rehearsal.patterns import example

            return example(str(schema["pattern"]), self.seed, place)
        text = self._words(most)
        while len(text) < least:
            text = f"{text} {self._words(most)}"
        return text if len(text) <= most else text[:most].rstrip()

    def _words(self, most: int) -> str:
        word = self.words[(chance(self.seed, "words") + self.taken) % len(self.words)]
        self.taken += 1
        return sentence(cut(bare(word), most - 1)) if most > 40 else cut(bare(word), max(most, 1))

    def _number(self, schema: dict[str, Any], suggestion: Any, place: str, *, whole: bool) -> float | int:
        low, high = _range(schema)
        if isinstance(suggestion, bool) or not isinstance(suggestion, int | float):
            span = high - low if math.isfinite(high - low) else 10.0
            start = low if math.isfinite(low) else (high - span if math.isfinite(high) else 0.0)
            suggestion = start + span * (30 + chance(self.seed, place) % 41) / 100
        value = min(max(float(suggestion), low), high)
        if multiple := schema.get("multipleOf"):
            value = round(value / multiple) * multiple
            value = value + multiple if value < low else value - multiple if value > high else value
        if isinstance(suggestion, int) and value == suggestion:
            return suggestion
        if whole:
            value = math.floor(value) if value > high - 1 else round(value)
            return int(max(value, math.ceil(low)) if math.isfinite(low) else value)
        return round(value, 4) if abs(value) < 1e12 else value


def _meant(option: dict[str, Any], suggestion: Any) -> bool:
    """Whether an option is told from the others by a constant that the suggestion has."""
    told = suggestion if isinstance(suggestion, dict) else {}
    fixed = {k: v["const"] for k, v in option.get("properties", {}).items() if isinstance(v, dict) and "const" in v}
    return bool(fixed) and all(told.get(name) == value for name, value in fixed.items())


def _range(schema: dict[str, Any]) -> tuple[float, float]:
    step = 1.0 if schema.get("type") == "integer" else 1e-4
    low = float(schema.get("minimum", -math.inf))
    high = float(schema.get("maximum", math.inf))
    exclusive_low, exclusive_high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if exclusive_low is not None:
        low = max(low, float(exclusive_low) + step)
    if exclusive_high is not None:
        high = min(high, float(exclusive_high) - step)
    return low, high


def _combined(one: dict[str, Any], other: Any) -> dict[str, Any]:
    if not isinstance(other, dict):
        return one
    both = {**one, **other}
    if "properties" in one and "properties" in other:
        both["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        both["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    return both


def _matches(schema: dict[str, Any], text: str) -> bool:
    if "pattern" in schema:
        try:
            return re.search(str(schema["pattern"]), text) is not None
        except re.error:
            return False
    return "format" not in schema or schema["format"] not in _FORMATS


def _nullable(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return True
    told = schema.get("type")
    if told == "null" or (isinstance(told, list) and "null" in told):
        return True
    return any(_nullable(option) for key in ("anyOf", "oneOf") for option in schema.get(key, []) if option)


def _is(kind: str, value: Any) -> bool:
    kinds: dict[str, Any] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    kinds |= {"object": dict, "array": list, "null": type(None)}
    if isinstance(value, bool):
        return kind == "boolean"
    return value is not None and isinstance(value, kinds.get(kind, ()))
