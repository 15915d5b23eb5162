"""How the provider ends a request: types with data, sent by `app`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pyscrai_mock_provider.answers import REFUSAL, Answer


@dataclass(frozen=True)
class Reply:
    """A whole HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dropped:
    """The answer begins, and its connection closes in the middle of it; with an empty body, before it."""

    body: bytes


@dataclass(frozen=True)
class Held:
    """Nothing is said, and the connection stays open until the other side closes it."""


Outcome = Reply | Dropped | Held


def completion(number: int, model: str, answer: Answer, *, with_usage: bool) -> bytes:
    """A chat completion as OpenAI writes it. `created` stays 0: answers are a function of their requests."""
    used = answer.usage
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.text is None:
        message["refusal"] = REFUSAL
    told: dict[str, Any] = {
        "id": f"chatcmpl-mock-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}],
    }
    if with_usage:
        told["usage"] = {
            "prompt_tokens": used.input,
            "completion_tokens": used.output,
            "total_tokens": used.input + used.output,
            "prompt_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": used.cache_write},
            "completion_tokens_details": {"reasoning_tokens": used.reasoning},
        }
    return json.dumps(told, ensure_ascii=False).encode()


def error(
    status: int, message: str, kind: str, code: str | None = None, *, parameter: str | None = None, **headers: str
) -> Reply:
    """An error as OpenAI writes it."""
    told = {"error": {"message": message, "type": kind, "param": parameter, "code": code}}
    return Reply(status, json.dumps(told, ensure_ascii=False).encode(), headers)
