"""A request for a chat completion, read and checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pyscrai.domain.canonical import clean_text
from pyscrai.llm.ask import FORM
from pyscrai_mock_provider.schemas import compact, validator


class BadRequest(ValueError):
    """400: what is wrong with a request; `parameter` is the part of it."""

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked. `schema`: what the answer has to fit; `shown` is the schema that went with the request.

    `digest` is the sha256 of the request's bytes, in hex.
    """

    model: str
    messages: tuple[tuple[str, str], ...]
    schema: dict[str, Any] | None
    shown: dict[str, Any] | None
    json: bool
    max_tokens: int | None
    seed: int | None
    digest: str

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.messages)

    def said(self, *roles: str) -> list[str]:
        return [text for role, text in self.messages if role in roles]


def read(body: bytes) -> Asked:
    """Raises BadRequest."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("We could not parse the JSON body of your request.") from None
    if not isinstance(told, dict):
        raise BadRequest("The body of the request has to be a JSON object.")
    model = told.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest("you must provide a model parameter", "model")
    if told.get("stream"):
        raise BadRequest("The mock provider does not stream.", "stream")
    if told.get("n", 1) not in (1, None):
        raise BadRequest("The mock provider gives one choice.", "n")
    messages = _messages(told.get("messages"))
    wanted = told.get("response_format")
    shown = _schema(wanted)
    limits = [_number(told, name, least=1) for name in ("max_completion_tokens", "max_tokens")]
    return Asked(
        model=clean_text(model),
        messages=messages,
        schema=shown if shown is not None else _in_prompt(messages),
        shown=shown,
        json=isinstance(wanted, dict) and wanted.get("type") == "json_object",
        max_tokens=min((limit for limit in limits if limit is not None), default=None),
        seed=_number(told, "seed"),
        digest=hashlib.sha256(body).hexdigest(),
    )


def _messages(told: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(told, list) or not told:
        raise BadRequest("'messages' has to be an array of at least one message.", "messages")
    found = []
    for number, message in enumerate(told):
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str):
            raise BadRequest("A message has to be an object with a role.", f"messages[{number}]")
        found.append(("system" if role == "developer" else role, _content(message.get("content"), number)))
    return tuple(found)


def _content(told: Any, number: int) -> str:
    if told is None:
        return ""
    if isinstance(told, str):
        return clean_text(told)
    texts = [part.get("text") for part in told if isinstance(part, dict)] if isinstance(told, list) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise BadRequest("The mock provider reads text only.", f"messages[{number}].content")
    return clean_text("\n".join(str(text) for text in texts))


def _schema(wanted: Any) -> dict[str, Any] | None:
    if wanted is None or (isinstance(wanted, dict) and wanted.get("type") in ("text", "json_object")):
        return None
    inner = wanted.get("json_schema") if isinstance(wanted, dict) and wanted.get("type") == "json_schema" else None
    if not isinstance(inner, dict) or not isinstance(inner.get("schema"), dict):
        raise BadRequest("Invalid 'response_format'.", "response_format")
    schema: dict[str, Any] = inner["schema"]
    try:
        validator(compact(schema))
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"Invalid schema for response_format: {error}", "response_format") from None
    return schema


def _in_prompt(messages: tuple[tuple[str, str], ...]) -> dict[str, Any] | None:
    """The schema that PyScrAI itself writes at the end of what it asks, where it goes with nothing else."""
    for role, text in messages:
        _, found, rest = text.partition(FORM) if role == "system" else ("", "", "")
        if found:
            try:
                schema = json.loads(rest)
                validator(compact(schema))
            except (ValueError, RecursionError):
                return None
            return schema if isinstance(schema, dict) else None
    return None


def _number(told: dict[str, Any], name: str, least: int | None = None) -> int | None:
    value = told.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        raise BadRequest(f"Invalid '{name}': it has to be an integer{'' if least is None else ' above 0'}.", name)
    return value
