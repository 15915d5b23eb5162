"""Events that are posted without a run: `{"prompt": str}`, answered with `{"content", "error"}`."""

from __future__ import annotations

from pydantic import JsonValue

from pyscrai.engine.handler import InvalidPayload


def plain(data: dict[str, JsonValue]) -> str:
    """The prompt as it was posted. Raises InvalidPayload."""
    prompt = data.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidPayload('an event without a run needs data like {"prompt": "some text"}')
    return prompt
