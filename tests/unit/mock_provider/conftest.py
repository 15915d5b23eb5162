"""Requests as bytes, and a provider behind its HTTP interface."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pyscrai_mock_provider.provider import Provider
from pyscrai_mock_provider.settings import read_settings

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reasoning": {"type": "string", "maxLength": 600},
        "goals": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "action": {"type": "string", "maxLength": 400},
        "mood": {"enum": ["calm", "uneasy"]},
    },
    "required": ["reasoning", "action", "mood"],
    "additionalProperties": False,
}
PROMPT = "# Town\n\nYou are the mayor. The old mill stands still.\n\n## Goals\n\n- Keep the mill\n- Win the vote\n"


def _request(user: str = PROMPT, schema: dict[str, Any] | None = SCHEMA, **told: Any) -> bytes:
    body: dict[str, Any] = {"model": "mock", "messages": [{"role": "user", "content": user}]}
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return json.dumps(body | told).encode()


@pytest.fixture
def request_of() -> Callable[..., bytes]:
    return _request


@pytest.fixture
def provider_of() -> Callable[..., Provider]:
    def make(**options: Any) -> Provider:
        return Provider(read_settings(**options))

    return make
