"""What the keys of model providers are called."""

from __future__ import annotations

from collections.abc import Mapping

from pyscrai.domain.model_names import ModelRef

VARIABLES: Mapping[str, str] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "groq": "GROQ_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "ollama": "OLLAMA_API_KEY",
    "openai-like": "PYSCRAI_MODEL_API_KEY",
}
"""The environment variable of each provider's key. Providers that are not here know no keys."""
OTHER_NAMES: Mapping[str, str] = {"GEMINI_API_KEY": "GOOGLE_API_KEY"}
"""A second variable that is taken where the first is not set."""
ALL_VARIABLES = frozenset({*VARIABLES.values(), *OTHER_NAMES.values()})


def slot(provider: str, base_url: str | None = None) -> str | None:
    """Where a person's key of a provider is kept; None for a provider that knows no keys.

    A key for a server of one's own belongs to that address: a scenario that names another server must not get it.
    """
    variable = VARIABLES.get(provider)
    return f"{variable} {base_url}" if variable and base_url else variable


def slot_of(ref: ModelRef) -> str | None:
    """Where the key is kept that this model needs."""
    return slot(ref.provider, ref.base_url)


def provider_of(kept: str) -> tuple[str, str | None]:
    """The provider and address that a slot stands for."""
    variable, _, base_url = kept.partition(" ")
    provider = next(name for name, known in VARIABLES.items() if known == variable)
    return provider, base_url or None
