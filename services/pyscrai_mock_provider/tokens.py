"""How this provider counts: a token is four bytes of UTF-8, the last one may have fewer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyscrai_mock_provider.schemas import compact

BYTES = 4
PER_MESSAGE = 4
PER_REQUEST = 3


def counted(text: str) -> int:
    return -(-len(text.encode()) // BYTES)


def asked(texts: Iterable[str], schema: dict[str, Any] | None) -> int:
    """The tokens of a request: its messages, each with what marks it, and the schema as compact JSON."""
    total = PER_REQUEST + sum(PER_MESSAGE + counted(text) for text in texts)
    if schema is None:
        return total
    return total + counted(compact(schema))


def cut(text: str, most: int) -> str:
    """The beginning of `text` that has at most so many tokens; no character is cut in two."""
    return text.encode()[: most * BYTES].decode(errors="ignore")
