"""From a model's name to an agno model that can be asked: keys, addresses, and the guard against paid calls.

Keys are read from the environment of the process that makes the call, each time; nothing keeps them.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from agno.models.base import Model
from agno.models.openai.like import OpenAILike
from agno.models.response import ModelResponse

from pyscrai.contract.events import ModelChoice
from pyscrai.domain import model_names
from pyscrai.domain.model_names import ModelRef, UnknownModel
from pyscrai.llm.clients import client
from pyscrai.llm.errors import MissingKey, ModelError, Overloaded, PaidModelBlocked, RateLimited, Refused, Rejected
from pyscrai.llm.question import Question

GUARD = "PYSCRAI_NO_PAID_MODELS"
OPENAI_URL = "https://api.openai.com/v1"
OPENROUTER_URL = "https://openrouter.ai/api/v1"
OLLAMA_HOST = "http://127.0.0.1:11434"
NO_KEY = "none"
_REASONING = re.compile(r"(o\d|gpt-5)")
_without_format: set[str] = set()


@dataclass(frozen=True)
class Address:
    """Where a provider is, and with which key."""

    base_url: str
    key: str


def build(question: Question, environ: Mapping[str, str] = os.environ) -> Model:
    """The agno model that will answer. Raises MissingKey, PaidModelBlocked, or Rejected for an unknown name."""
    try:
        ref = model_names.parse(question.model.id)
    except UnknownModel as error:
        raise Rejected(str(error)) from error
    if ref.provider == "rehearsal":
        from pyscrai.llm.rehearsal.model import Rehearsal

        return Rehearsal(id="rehearsal", name="rehearsal", provider="rehearsal", seed=question.model.seed)
    if ref.provider == "scripted":
        from pyscrai.llm.scripted import Scripted

        return Scripted(id=str(ref), name="scripted", provider="scripted", question=question, path=ref.model)
    return _openai_like(ref, question.model, address(ref, environ))


def address(ref: ModelRef, environ: Mapping[str, str]) -> Address:
    """The address and key of a model server. Raises MissingKey, and PaidModelBlocked where the guard is set."""
    found = _address(ref, environ)
    if environ.get(GUARD) and not is_loopback(found.base_url):
        raise PaidModelBlocked(f"{ref}: {GUARD} is set, and {found.base_url} is not on this machine")
    if not found.key:
        variable = "OPENAI_API_KEY" if ref.provider == "openai" else "OPENROUTER_API_KEY"
        raise MissingKey(f"{ref}: {variable} is not set. Set it in the environment of the engines, or use rehearsal.")
    return found


def _address(ref: ModelRef, environ: Mapping[str, str]) -> Address:
    if ref.provider == "openai":
        return Address(environ.get("OPENAI_BASE_URL") or OPENAI_URL, environ.get("OPENAI_API_KEY", ""))
    if ref.provider == "openrouter":
        return Address(OPENROUTER_URL, environ.get("OPENROUTER_API_KEY", ""))
    if ref.provider == "ollama":
        host = (environ.get("OLLAMA_HOST") or OLLAMA_HOST).rstrip("/")
        return Address(f"{host if '://' in host else f'http://{host}'}/v1", NO_KEY)
    if ref.base_url is None:
        raise Rejected(f"{ref}: there is no provider {ref.provider}")
    return Address(ref.base_url, environ.get("PYSCRAI_MODEL_API_KEY") or NO_KEY)


def is_loopback(url: str) -> bool:
    """Whether the address can only be this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def takes_format(model: str) -> bool:
    """Whether a JSON Schema may go with the request, as far as this process knows."""
    return model not in _without_format


def remember_no_format(model: str) -> None:
    _without_format.add(model)


def _openai_like(ref: ModelRef, choice: ModelChoice, where: Address) -> Model:
    own = ref.provider == "openai" and where.base_url == OPENAI_URL
    # OpenAI's own models know only the new name of the limit; other servers only the old one.
    warm = choice.temperature if not (own and _REASONING.match(ref.model)) else None
    model = Server(
        id=ref.model,
        name=ref.provider,
        provider=ref.provider,
        api_key=where.key,
        base_url=where.base_url,
        temperature=warm,
        seed=choice.seed % 2**31,
        max_retries=0,
        retries=0,
        max_tokens=None if own else choice.max_tokens,
        max_completion_tokens=choice.max_tokens if own else None,
    )
    model.async_client = client(where.base_url, where.key)
    return model


@dataclass
class Server(OpenAILike):
    """A server that speaks OpenAI's protocol; keeps what agno drops: refusals, and errors inside an answer of 200."""

    def _parse_provider_response(self, response: Any, response_format: Any = None, **_: Any) -> ModelResponse:
        if error := getattr(response, "error", None):
            raise _inner_error(self.id, error)
        if not getattr(response, "choices", None):
            raise ModelError(f"{self.id}: the server's answer is not a chat completion")
        parsed = super()._parse_provider_response(response, response_format=response_format)
        choice = response.choices[0]
        parsed.provider_data = (parsed.provider_data or {}) | {"finish_reason": choice.finish_reason}
        refusal = getattr(choice.message, "refusal", None)
        if refusal or (choice.finish_reason == "content_filter" and not parsed.content):
            parsed.provider_data["refusal"] = refusal or "stopped by the provider's content filter"
        return parsed


def _inner_error(model: str, error: Any) -> ModelError:
    """An error that a router reports inside a successful HTTP answer."""
    code = error.get("code") if isinstance(error, dict) else None
    said = error.get("message", "") if isinstance(error, dict) else str(error)
    text = f"{model}: {said or 'the provider reported an error'}"
    if code == 429:
        return RateLimited(text, unbilled=True)
    if code == 403:
        return Refused(text)
    return Overloaded(text) if not isinstance(code, int) or code >= 500 else Rejected(text)
