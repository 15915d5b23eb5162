"""How long a text is for a model, by one estimate that is the same everywhere and for ever: no tokenizer is asked.

UTF-8 bytes divided by four, rounded up: what byte-pair tokenizers of the large providers need for English prose, and
more than they need for other scripts (https://help.openai.com/en/articles/4936856). It decides what fits into a view;
money is bounded by `llm.bounds`, which is proven and not estimated.
"""

from __future__ import annotations

BYTES_PER_TOKEN = 4


def estimate(text: str) -> int:
    """Tokens of a text."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
