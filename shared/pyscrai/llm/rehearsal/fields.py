"""The fields that an author adds to an answer, from the scenario's own words, so that the answer can name them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from pyscrai.domain.chance import chance, pick
from pyscrai.llm.rehearsal.reading import Sheet
from pyscrai.llm.rehearsal.words import bare, content_words, cut, plain_title

_PEOPLE = re.compile(r"\b(who|whom|name|names|people|person|persons|seat|seats)\b", re.I)
_MOOD = re.compile(r"\b(mood|moods|emotion|emotional|feeling|feelings|tone|state of mind|atmosphere)\b", re.I)
_MOODS = ("calm", "watchful", "uneasy", "hopeful", "tired", "resolved", "curious", "grave")


def chosen(sheet: Sheet, schema: dict[str, Any], seed: int, known: Collection[str]) -> dict[str, Any]:
    """A value for each further property where the words of the prompt suggest one; the rest is filled by its schema."""
    found: dict[str, Any] = {}
    for name, inner in schema.get("properties", {}).items():
        if name not in known and isinstance(inner, dict):
            value = _value(sheet, name, inner, seed)
            if value is not None:
                found[name] = value
    return found


def _value(sheet: Sheet, name: str, schema: dict[str, Any], seed: int) -> Any:
    about = f"{name.replace('_', ' ')} {schema.get('description') or ''}"
    options = [one for one in schema.get("enum", []) if isinstance(one, str)]
    if options:
        return _option(sheet, options, seed)
    if schema.get("type") == "string" and not {"pattern", "format"} & set(schema):
        return _near(sheet, about, int(schema.get("maxLength", 300)), seed)
    inner = schema.get("items")
    if schema.get("type") == "array" and isinstance(inner, dict) and inner.get("type") == "string":
        most = max(int(schema.get("minItems", 0)), min(int(schema.get("maxItems", 2)), 2))
        longest = int(inner.get("maxLength", 200))
        words = [person.title for person in sheet.others] if _PEOPLE.search(about) else sheet.items("goals")
        return [cut(plain_title(bare(word)), longest) for word in words[:most]]
    return None


def _option(sheet: Sheet, options: list[str], seed: int) -> str:
    """The one that is closest to what this seat wants; of equals, any, but another for each seat."""
    own = content_words(" ".join([*sheet.goals_and_rules, *sheet.papers]))
    place = chance(seed, sheet.me, sheet.turn)
    ranked = sorted(
        range(len(options)), key=lambda n: (-len(content_words(options[n]) & own), (n + place) % len(options))
    )
    return options[ranked[0]]


def _near(sheet: Sheet, about: str, longest: int, seed: int) -> str | None:
    """The sentence of one's papers, goals or rules that has most to do with the field."""
    if _MOOD.search(about):
        return pick(seed, sheet.me, sheet.turn, about, options=_MOODS)
    texts = [bare(text) for text in [*sheet.papers, *sheet.goals_and_rules]]
    wanted = content_words(f"{about} {sheet.prose('moment')}")
    turned = texts[sheet.turn % len(texts) :] + texts[: sheet.turn % len(texts)] if texts else []
    best = max(turned, key=lambda text: len(content_words(text) & wanted), default=None)
    return None if best is None else cut(best, longest)
