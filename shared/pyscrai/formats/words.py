"""Foreign dialects let authors write a thing as text, list or mapping; these make one shape of it."""

from __future__ import annotations

import json
import re
from typing import Any

_BULLET = re.compile(r"^(?:[-*•]|\d+[.)])\s+")


def as_text(value: Any) -> str:
    """A text; a list as lines with dashes, a mapping as `key: value` lines, anything else as it is written."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return "\n".join(f"- {line_of(item)}" for item in value)
    if isinstance(value, dict):
        return "\n".join(f"{readable(key)}: {line_of(item)}" for key, item in value.items())
    return line_of(value)


def as_texts(value: Any) -> Any:
    """A list of texts; a text with bullets gives its items, one without is one item."""
    if isinstance(value, str):
        return _items(value)
    if isinstance(value, list):
        return [line_of(item) for item in value if item is not None]
    if isinstance(value, dict):
        return [f"{readable(key)}: {line_of(item)}" for key, item in value.items()]
    return value


def line_of(value: Any) -> str:
    """Any value on one line, for a person."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict):
        return ", ".join(f"{readable(key)}: {line_of(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(line_of(item) for item in value)
    return "" if value is None else json.dumps(value)


def readable(key: str) -> str:
    return key.replace("_", " ")


def _items(text: str) -> list[str]:
    lines = text.strip().splitlines()
    if not any(_BULLET.match(line.strip()) for line in lines):
        return [text.strip()] if text.strip() else []
    items: list[str] = []
    for line in (raw.strip() for raw in lines):
        bullet = _BULLET.match(line)
        if bullet:
            items.append(line[bullet.end() :])
        elif line:
            items[-1:] = [f"{items[-1]} {line}"] if items else [line]
    return items


def paragraphs(*texts: str | None) -> str:
    """Texts joined by an empty line; what is empty is left out."""
    return "\n\n".join(text.strip() for text in texts if text and text.strip())
