"""What small models do although a schema is kept: they go round in circles, say nothing, or repeat what was asked.

Only what cannot be meant is found: each finding costs a repair, and a good answer must never be refused. An answer may
well quote the prompt, say a word three times, or be three dots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

LOOKED_AT = 4000
"""Characters at the end of a text in which a loop is looked for: a model that is in one does not come out of it."""
LONGEST_UNIT = 200
FEWEST_TIMES = 8
FEWEST_CHARACTERS = 80
FEWEST_ITEMS = 4
SHORTEST_ECHO = 20
_ASKED = re.compile(r"^[ \t]*[-*] `(\w+)`:[ \t]*(.+(?:\n[ \t]+\S.*)*)", re.MULTILINE)
"""How prompts say what belongs into a key of the answer."""


def unruly(value: Any, schema: dict[str, Any], asked: str = "") -> Iterator[str]:
    """What is wrong with an answer that fits `schema`, told to its author. `asked` is the text of the question."""
    for pointer, text, least in _texts(value, schema, ""):
        if least and not text.strip():
            yield f"At {pointer}: there is nothing but white space. Write something."
        elif (unit := loop(text)) is not None:
            yield f"At {pointer}: it goes round in circles ({unit[:40]!r} again and again). Say each thing once."
    for pointer, items in _lists(value, ""):
        if len(items) >= FEWEST_ITEMS and all(isinstance(each, str) and each == items[0] for each in items):
            yield f"At {pointer}: all {len(items)} entries are the same. Give each thing once."
    if asked and _only_echoes(value, schema, asked):
        yield "The answer repeats what it was asked for. Answer the question itself, in words of your own."


def loop(text: str) -> str | None:
    """What a text repeats at its end, if it does so at least FEWEST_TIMES in a row.

    Rules and rows of dots are no loops: something in it has to be a letter or a figure.
    """
    end = " ".join(text[-LOOKED_AT:].split())
    for size in range(1, min(LONGEST_UNIT, len(end) // FEWEST_TIMES) + 1):
        repeated = _tail(end, size)
        if repeated >= max(size * (FEWEST_TIMES - 1), FEWEST_CHARACTERS):
            unit = end[-size:]
            if any(each.isalnum() for each in unit):
                return unit
    return None


def _tail(text: str, size: int) -> int:
    """How many characters at the end equal the one `size` before them."""
    at = len(text) - 1
    while at >= size and text[at] == text[at - size]:
        at -= 1
    return len(text) - 1 - at


def _texts(value: Any, schema: Any, pointer: str) -> Iterator[tuple[str, str, bool]]:
    """Place, text, and whether its schema wants something there, of each free text."""
    schema = schema if isinstance(schema, dict) else {}
    if isinstance(value, str):
        if "enum" not in schema and "const" not in schema:
            yield pointer or "/", value, schema.get("minLength", 0) > 0
    elif isinstance(value, dict):
        declared, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, each in value.items():
            yield from _texts(each, declared.get(name, others), f"{pointer}/{name}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, schema.get("items"), f"{pointer}/{number}")


def _lists(value: Any, pointer: str) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(value, list):
        yield pointer or "/", value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in pairs:
        yield from _lists(each, f"{pointer}/{name}")


def _only_echoes(value: Any, schema: dict[str, Any], asked: str) -> bool:
    """Whether every text of some length is a piece of what the prompt says about the answer's keys."""
    said = [plain for _, text, _ in _texts(value, schema, "") if len(plain := _plain(text)) >= SHORTEST_ECHO]
    if not said or not _may_be_of(said, asked):
        return False
    keys = set(schema.get("properties", {}))
    told = [_plain(words) for key, words in _ASKED.findall(asked) if key in keys]
    return all(any(each in words for words in told) for each in said)


def _may_be_of(said: list[str], asked: str) -> bool:
    """Whether an echo is possible at all: the words within a piece are whole words of where it was taken from.

    Reading what the prompt says about each key takes much longer than seeing that a word is not in it.
    """
    asked = asked.casefold()
    return all(word in asked for each in said for word in each.split()[1:-1])


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
