"""Answers of a wanted length: the texts in a JSON answer grow and shrink within what its schema allows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyscrai_mock_provider.schemas import compact, validator
from pyscrai_mock_provider.tokens import BYTES

MAX_DEPTH = 12
ENDLESS = 1_000_000
_FIXED = frozenset({"enum", "const", "pattern", "format"})


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text in an answer that may be of another length: at most `most` characters, at least `least`."""

    holder: Any
    key: str | int
    least: int
    most: int

    @property
    def value(self) -> str:
        text: str = self.holder[self.key]
        return text

    def put(self, text: str) -> None:
        self.holder[self.key] = text


def stretched(text: str, schema: dict[str, Any] | None, tokens: int, more: list[str]) -> str:
    """`text` with about so many tokens, as far as its schema allows; `more` are the sentences that make it longer."""
    if schema is None:
        return _of_length(text, tokens * BYTES, more)
    answer = json.loads(text)
    texts = list(texts_of(answer, schema, schema))
    # Items of lists are names and catchwords: they stay short where there is anything else to write.
    texts = [one for one in texts if isinstance(one.key, str)] or texts
    missing = tokens * BYTES - len(text.encode())
    # The one with least room first, so that what it cannot take goes to the others.
    texts.sort(key=lambda one: one.most - len(one.value))
    for number, one in enumerate(texts):
        before = one.value
        size = max(len(before) + round(missing / (len(texts) - number)), one.least, 1)
        one.put(_of_length(before, min(size, one.most), more))
        missing -= len(one.value.encode()) - len(before.encode())
    made = json.dumps(answer, ensure_ascii=False)
    return made if validator(compact(schema)).is_valid(answer) else text


def swollen(text: str, schema: dict[str, Any] | None) -> str:
    """`text` as a model writes that cannot stop: its first free text repeated far beyond what the schema allows."""
    if schema is None:
        return f"{text} " * 400
    answer = json.loads(text)
    for one in texts_of(answer, schema, schema):
        again = f"{one.value or 'and'} "
        bound = one.most if one.most < ENDLESS else 40_000
        one.put(again * (2 * bound // len(again) + 2))
        return json.dumps(answer, ensure_ascii=False)
    # Without a text of its own it says all of it again and again.
    return f"{text} " * 400


def texts_of(holder: Any, schema: Any, root: dict[str, Any], depth: int = 0) -> Iterator[Text]:
    """The texts in an object or array that its schema lets be of any words. What it leaves unclear is left alone."""
    schema = _resolved(schema, root)
    if depth > MAX_DEPTH or not isinstance(schema, dict) or not isinstance(holder, dict | list):
        return
    items = holder.items() if isinstance(holder, dict) else enumerate(holder)
    for key, value in list(items):
        inner = _resolved(_inner(schema, key), root)
        if isinstance(value, dict | list):
            yield from texts_of(value, inner, root, depth + 1)
        elif isinstance(value, str) and isinstance(inner, dict) and _free(inner):
            yield Text(holder=holder, key=key, least=inner.get("minLength", 0), most=inner.get("maxLength", ENDLESS))


def _inner(schema: dict[str, Any], key: str | int) -> Any:
    if isinstance(key, str):
        named = schema.get("properties", {}).get(key)
        return named if named is not None else schema.get("additionalProperties")
    first = schema.get("prefixItems", [])
    return first[key] if key < len(first) else schema.get("items")


def _resolved(schema: Any, root: dict[str, Any]) -> Any:
    """References followed, and the one option that is not null taken."""
    for _ in range(MAX_DEPTH):
        if not isinstance(schema, dict):
            return None
        options = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
        if str(schema.get("$ref", "")).startswith("#/"):
            found: Any = root
            for segment in schema["$ref"][2:].split("/"):
                found = found.get(segment) if isinstance(found, dict) else None
            schema = found
        elif len(options) == 1:
            schema = options[0]
        else:
            return schema
    return None


def _free(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return "string" in kinds and not _FIXED & schema.keys() and not {"allOf", "oneOf", "anyOf"} & schema.keys()


def _of_length(text: str, size: int, more: list[str]) -> str:
    """`text` with at most `size` characters, and not many fewer: words are added or taken away at its end."""
    words = [text] if text else []
    length, number = len(text), 0
    while length < size and more:
        words.append(more[number % len(more)])
        length += len(words[-1]) + 1
        number += 1
    made = " ".join(words)
    if len(made) <= size:
        return made
    short = made[:size].rpartition(" ")[0] if made[size] != " " else made[:size]
    return short.rstrip() or made[:size]
