"""Names of models as people write them, and the one canonical form that the system keeps.

rehearsal                       ships with PyScrAI: instant, no key, no cost
scripted:PATH                   ships with PyScrAI: answers from a file
local                           a small model on this machine, no key, no cost; the extra `local`
openai:NAME                     also bare, as in `gpt-4o-mini`
anthropic:NAME                  also bare, as in `claude-3-haiku`
gemini:NAME                     also bare, as in `gemini-1.5-pro`, and as `google:NAME`
groq:NAME                       also as `groq/NAME`
openrouter:VENDOR/NAME          also bare, as in `anthropic/claude-3-haiku`
ollama:NAME                     also as `ollama/NAME`
https://host/v1#NAME            any server that speaks OpenAI's protocol
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pyscrai.domain.errors import PyScrAIError

FREE = frozenset({"rehearsal", "scripted", "local"})
"""Providers whose models cost nothing, so that a run of theirs needs no limit."""

PROVIDERS = (
    "rehearsal",
    "scripted",
    "local",
    "openai",
    "anthropic",
    "gemini",
    "groq",
    "openrouter",
    "ollama",
    "openai-like",
)
MAX_LENGTH = 500

_ALONE = ("rehearsal", "local")
"""Providers with one model, which is called as they are."""
_ALIASES = {"google": "gemini"}
"""Other names of a provider, before a colon only: `google/…` is how OpenRouter calls these models."""
_SLASHED = ("ollama", "groq", "gemini")
"""Providers that also stand before a slash; any other `a/b` is a model of OpenRouter's."""
_BARE = (
    ("openai", re.compile(r"(gpt-(?!oss)|chatgpt-|o[1-9](-|$)|ft:(gpt-|o[1-9]))")),
    ("anthropic", re.compile(r"claude-[^/:]+$")),
    ("gemini", re.compile(r"gemini-[^/:]+$")),
)
_VENDORS = {
    "claude": "anthropic",
    "gemini": "google",
    "gemma": "google",
    "gpt-oss": "openai",
    "llama": "meta-llama",
    "mistral": "mistralai",
    "mixtral": "mistralai",
    "deepseek": "deepseek",
    "qwen": "qwen",
    "grok": "x-ai",
    "command": "cohere",
}
_OPEN = ("llama", "gpt-oss", "gemma", "mistral", "mixtral", "deepseek", "qwen")
"""Families that Ollama runs too."""
_ON_THIS_MACHINE = "http://127.0.0.1:8080/v1"
_HOW = (
    "write rehearsal, scripted:PATH, local, openai:NAME, anthropic:NAME, gemini:NAME, groq:NAME, "
    "openrouter:VENDOR/NAME, ollama:NAME or https://HOST/v1#NAME"
)


class UnknownModel(PyScrAIError, ValueError):
    """A name that says no model; `candidates` are names that would."""

    def __init__(self, message: str, candidates: tuple[str, ...] = ()) -> None:
        hint = f"did you mean {' or '.join(candidates)}?" if candidates else _HOW
        super().__init__(f"{message}: {hint}")
        self.candidates = candidates


@dataclass(frozen=True)
class ModelRef:
    """A model by provider; `base_url` is set for `openai-like` only, `model` is the path for `scripted`."""

    provider: str
    model: str
    base_url: str | None = None

    def __str__(self) -> str:
        if self.provider in _ALONE:
            return self.provider
        if self.base_url is not None:
            return f"{self.base_url}#{self.model}"
        return f"{self.provider}:{self.model}"

    @property
    def free(self) -> bool:
        return self.provider in FREE


def parse(name: str) -> ModelRef:
    """The model that `name` says. Raises UnknownModel with what it may have meant."""
    name = name.strip()
    if not name:
        raise UnknownModel("the name of the model is empty")
    if len(name) > MAX_LENGTH or re.search(r"[\x00-\x1f\x7f]", name):
        raise UnknownModel(f"{name[:60]!r} is not the name of a model")
    if name in _ALONE:
        return ModelRef(name, name)
    if re.match(r"https?://", name):
        return _url(name)
    provider, colon, model = name.partition(":")
    provider = _ALIASES.get(provider, provider)
    if colon and provider in PROVIDERS:
        return _prefixed(provider, model, name)
    return _bare(name)


def _prefixed(provider: str, model: str, name: str) -> ModelRef:
    if provider == "openai-like":
        return _url(model)
    if provider in _ALONE:
        others = _candidates(name) if provider == "local" else ()
        raise UnknownModel(f"{name!r}: {provider} is one model", (provider, *others))
    if not model.strip():
        raise UnknownModel(f"{name!r} names no model of {provider}")
    if provider == "openrouter" and "/" not in model:
        raise UnknownModel(f"{name!r} has no vendor", (_at_openrouter(model),))
    return ModelRef(provider, model)


def _bare(name: str) -> ModelRef:
    if name.startswith("models/gemini-"):
        name = name.removeprefix("models/")
    if found := next((provider for provider, pattern in _BARE if pattern.match(name)), None):
        return ModelRef(found, name)
    first, slash, rest = name.partition("/")
    if slash and first in _SLASHED and rest:
        return ModelRef(first, rest)
    if first != "local" and re.fullmatch(r"[A-Za-z0-9._-]+/[A-Za-z0-9._:/*-]+", name):
        return ModelRef("openrouter", name)
    raise UnknownModel(f"no model is called {name!r}", _candidates(name))


def _url(name: str) -> ModelRef:
    url, _, model = name.partition("#")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UnknownModel(f"{url!r} is not the address of a model server", ("https://HOST/v1#NAME",))
    if parts.username or parts.password or parts.query:
        raise UnknownModel(
            f"{parts.hostname}: keys do not belong in a model's name (set PYSCRAI_MODEL_API_KEY)",
            (f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}#NAME",),
        )
    base = url.rstrip("/")
    if not model:
        raise UnknownModel(f"{name!r} names a server but no model", (f"{base}#NAME",))
    return ModelRef("openai-like", model, base)


def _candidates(name: str) -> tuple[str, ...]:
    provider, mark, model = re.match(r"([^:/]*)([:/]?)(.*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    if provider.lower() == "local" and model:
        return (f"ollama:{model}", f"{_ON_THIS_MACHINE}#{model}")
    tagged = provider.lower().startswith(_OPEN) and not model.lower().startswith(tuple(_VENDORS))
    if mark == ":" and model and not tagged:  # not as in llama3.2:3b
        close = difflib.get_close_matches(provider.lower(), [*PROVIDERS, *_ALIASES], n=1, cutoff=0.7)
        if close and close[0] != "rehearsal":
            return (f"{_ALIASES.get(close[0], close[0])}:{model}",)
        return (_at_openrouter(model, provider),)
    if close := difflib.get_close_matches(name.lower(), ["rehearsal"], cutoff=0.6):
        return tuple(close)
    if not name.lower().startswith(tuple(_VENDORS)):
        return ()
    return (f"ollama:{name}",) * name.lower().startswith(_OPEN) + (_at_openrouter(name.replace(":", "-")),)


def _at_openrouter(model: str, vendor: str | None = None) -> str:
    """What a model without a vendor, or of a provider that we do not call directly, is called at OpenRouter."""
    family = next((v for prefix, v in _VENDORS.items() if model.lower().startswith(prefix)), vendor or "VENDOR")
    return f"openrouter:{family}/{model.rpartition('/')[2]}"
