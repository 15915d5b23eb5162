"""Text as Markdown: what models and authors wrote stays inside what it is put into."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any


def value_of(value: Any) -> str:
    """A JSON value on one line."""
    if value is None:
        return "not measured"
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def quoted(text: str) -> str:
    """Text as it was said, as a quotation: whatever Markdown is in it stays inside."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def one_line(text: str) -> str:
    """One line, in which nothing starts a link, a tag or an emphasis."""
    return re.sub(r"([\\`*\[\]<>])", r"\\\1", " ".join(text.split()))


def code(value: Any) -> str:
    """A JSON value as a block of code."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
    return f"{fence}json\n{text}\n{fence}"


def bullets(items: Iterable[str]) -> str:
    """A list, an item on each line."""
    return "\n".join(f"- {item}" for item in items)


def text_of(blocks: Iterable[str]) -> str:
    """Blocks as a document, the empty ones left out."""
    return "\n\n".join(block for block in blocks if block) + "\n"
