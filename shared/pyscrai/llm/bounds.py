"""Identity and size of a request: its hash, and an upper bound of its tokens that needs no tokenizer."""

from __future__ import annotations

import unicodedata
from typing import Any

from pyscrai.domain.canonical import canonical, clean_text, normalise, sha256

PER_REQUEST = 256
PER_MESSAGE = 32
"""Tokens that a chat template may add: role markers, a default system prompt, a date line."""

Messages = list[dict[str, str]]
"""`{"role": …, "content": …}` in order."""


def input_bound(messages: Messages, schema: dict[str, Any] | None) -> int:
    """More tokens than any byte-level tokenizer makes of the request: none makes a token of less than a byte.

    Where a tokenizer first normalises (NFKC), the normalised text counts if it is longer.
    """
    total = PER_REQUEST + sum(PER_MESSAGE + _bytes(message["content"]) for message in messages)
    # Providers show the schema to the model in a form of their own, which repeats its names.
    return total if schema is None else total + 2 * _bytes(canonical(normalise(schema)))


def _bytes(text: str) -> int:
    if text.isascii():
        return len(text)
    text = clean_text(text)
    return max(len(text.encode()), len(unicodedata.normalize("NFKC", text).encode()))


def request_hash(
    model: str, messages: Messages, schema: dict[str, Any] | None, temperature: float | None, max_tokens: int
) -> str:
    """The sha256 of the request's canonical JSON, in hex."""
    request = {"model": model, "messages": messages, "schema": schema}
    return sha256(canonical(normalise(request | {"temperature": temperature, "max_tokens": max_tokens})))
