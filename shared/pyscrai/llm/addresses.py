"""Where each provider is, which key it wants, and what it does not take; and the guard against paid calls."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from pyscrai.domain.model_keys import OTHER_NAMES, VARIABLES
from pyscrai.domain.model_names import ModelRef
from pyscrai.llm.errors import PaidModelBlocked, Rejected
from pyscrai.llm.keys import find_key, missing

GUARD = "PYSCRAI_NO_PAID_MODELS"
NO_KEY = "none"


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What is particular to a provider's HTTP interface.

    `limit`: the request's name for the most tokens of an answer. `seed`: whether it may be sent. `overhead`: tokens
    that its own words about a form of the answer may add to the input.
    """

    base_url: str
    base_variable: str
    key_variable: str
    needs_key: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed: bool = True
    overhead: int = 0


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(
        base_url="https://api.openai.com/v1",
        base_variable="OPENAI_BASE_URL",
        key_variable=VARIABLES["openai"],
        limit="max_completion_tokens",
    ),
    "anthropic": Provider(
        base_url="https://api.anthropic.com",
        base_variable="ANTHROPIC_BASE_URL",
        key_variable=VARIABLES["anthropic"],
        seed=False,
        overhead=1024,
    ),
    "gemini": Provider(
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        base_variable="GEMINI_BASE_URL",
        key_variable=VARIABLES["gemini"],
        seed=False,  # the request is refused with it
    ),
    "groq": Provider(
        base_url="https://api.groq.com/openai/v1",
        base_variable="GROQ_BASE_URL",
        key_variable=VARIABLES["groq"],
        limit="max_completion_tokens",
    ),
    "openrouter": Provider(
        base_url="https://openrouter.ai/api/v1",
        base_variable="OPENROUTER_BASE_URL",
        key_variable=VARIABLES["openrouter"],
    ),
    "ollama": Provider(
        base_url="http://127.0.0.1:11434",
        base_variable="OLLAMA_HOST",
        key_variable=VARIABLES["ollama"],
        needs_key=False,
    ),
    "openai-like": Provider(base_url="", base_variable="", key_variable=VARIABLES["openai-like"], needs_key=False),
}
_DIRECT = {"openai": "openai", "anthropic": "anthropic", "google": "gemini"}
"""Vendors at OpenRouter that can be asked themselves."""


@dataclass(frozen=True)
class Address:
    """Where a model is asked, and with which key. `lent`: the key is somebody's, and came with a lease."""

    base_url: str
    key: str = field(repr=False)
    lent: bool = False


def address(ref: ModelRef, environ: Mapping[str, str], lent: str | None = None) -> Address:
    """The address and key of a model's server; a `lent` key goes before this process's own.

    Raises MissingKey, and PaidModelBlocked where the guard is set.
    """
    provider = PROVIDERS.get(ref.provider)
    if provider is None:
        raise Rejected(f"{ref}: there is no provider {ref.provider}")
    base_url = ref.base_url or _base_url(ref.provider, provider, environ)
    if environ.get(GUARD) and not is_loopback(base_url):
        raise PaidModelBlocked(f"{ref}: {GUARD} is set, and {base_url} is not on this machine")
    if lent:
        return Address(base_url, lent, lent=True)
    variable = provider.key_variable
    key = find_key(variable, environ) or find_key(OTHER_NAMES.get(variable, variable), environ)
    if not key and provider.needs_key:
        raise missing(str(ref), variable, environ, _instead(ref))
    return Address(base_url, key or NO_KEY)


def is_loopback(url: str) -> bool:
    """Whether the address can only be this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _base_url(name: str, provider: Provider, environ: Mapping[str, str]) -> str:
    told = (environ.get(provider.base_variable) or "").strip()
    base = (told or provider.base_url).rstrip("/")
    return _ollama(base) if name == "ollama" else base


def _ollama(host: str) -> str:
    """OLLAMA_HOST as Ollama's own tools read it: scheme and port may be left out, and 0.0.0.0 is where it listens."""
    parts = urlsplit(host if "://" in host else f"http://{host}")
    name = parts.hostname or "127.0.0.1"
    name = "127.0.0.1" if name in ("0.0.0.0", "::") else f"[{name}]" if ":" in name else name
    port = parts.port or ({"http": 80, "https": 443}[parts.scheme] if "://" in host else 11434)
    return f"{parts.scheme}://{name}:{port}{parts.path.rstrip('/').removesuffix('/v1')}/v1"


def _instead(ref: ModelRef) -> str:
    vendor, _, model = ref.model.partition("/")
    if ref.provider != "openrouter" or vendor not in _DIRECT or ":" in model:
        return ""
    return f", or write {_DIRECT[vendor]}:{model} to ask {vendor} itself"
