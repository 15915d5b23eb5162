"""What this process has learned about models: which parts of a request they refuse.

A server says so once, with an error that costs nothing; then the same model is asked without that part.
"""

from __future__ import annotations

FORMAT = "response_format"
"""A JSON Schema beside the prompt, in whatever form the provider takes it."""

_refused: dict[str, set[str]] = {}


def takes(model: str, part: str) -> bool:
    """Whether `part` may go with a request to `model`, as far as this process knows."""
    return part not in _refused.get(model, ())


def remember(model: str, part: str) -> None:
    _refused.setdefault(model, set()).add(part)
