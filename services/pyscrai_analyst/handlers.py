"""Events that are posted without a run: `{"data_to_analyze": …}`, answered with `{"content", "error"}`."""

from __future__ import annotations

from pydantic import JsonValue

from pyscrai.domain.canonical import canonical
from pyscrai.engine.handler import InvalidPayload


def plain(data: dict[str, JsonValue]) -> str:
    """What is to be analysed: text as it is, an object or a list as JSON. Raises InvalidPayload.

    A `prompt` beside it, where there is one, comes first: it says what is to be looked for.
    """
    subject, prompt = data.get("data_to_analyze"), data.get("prompt")
    if not isinstance(subject, str | dict | list) or not subject:
        raise InvalidPayload('an event without a run needs data like {"data_to_analyze": text, object or list}')
    text = subject if isinstance(subject, str) else canonical(subject)
    return f"{prompt}\n\n{text}" if isinstance(prompt, str) and prompt.strip() else text
