"""From a model's name to an agno model that can be asked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from agno.models.base import Model

from pyscrai.contract.events import ModelChoice
from pyscrai.domain import model_names
from pyscrai.domain.chance import chance
from pyscrai.domain.model_names import ModelRef, UnknownModel
from pyscrai.llm.addresses import PROVIDERS, Address, address
from pyscrai.llm.clients import anthropic_client, openai_client
from pyscrai.llm.errors import Rejected
from pyscrai.llm.learned import takes
from pyscrai.llm.question import Question

_REASONING = re.compile(r"(o\d|gpt-5)")


def named(name: str) -> ModelRef:
    """The model that `name` says. Raises Rejected for an unknown name."""
    try:
        return model_names.parse(name)
    except UnknownModel as error:
        raise Rejected(str(error)) from error


def overhead(provider: str) -> int:
    """Tokens that a provider's own words about the form of an answer may add to a request."""
    known = PROVIDERS.get(provider)
    return known.overhead if known else 0


def build(question: Question, environ: Mapping[str, str] = os.environ) -> Model:
    """The agno model that will answer. Raises MissingKey, PaidModelBlocked, or Rejected for an unknown name.

    `setup.prepare` imports what it needs off the event loop.
    """
    ref = named(question.model.id)
    if ref.provider == "rehearsal":
        from pyscrai.llm.rehearsal.model import Rehearsal

        return Rehearsal(id="rehearsal", name="rehearsal", provider="rehearsal", seed=question.model.seed)
    if ref.provider == "scripted":
        from pyscrai.llm.scripted import Scripted

        return Scripted(id=str(ref), name="scripted", provider="scripted", question=question, path=ref.model)
    if ref.provider == "local":
        from pyscrai.llm.local import local

        return local(question.model, seed_of(question), environ)
    where = address(ref, environ, question.key)
    if ref.provider == "anthropic":
        return _anthropic(ref, question.model, where)
    return _openai_like(ref, question.model, seed_of(question), where)


def seed_of(question: Question) -> int:
    """The seed of one try. After a failure another one, so that a model which follows it does not fail the same way."""
    seed, number = question.model.seed, question.try_no
    return seed if number <= 1 else chance(seed, number, "try")


def _openai_like(ref: ModelRef, choice: ModelChoice, seed: int, where: Address) -> Model:
    from pyscrai.llm.servers import Gemini, Groq, Server

    classes: dict[str, type[Server]] = {"gemini": Gemini, "groq": Groq}
    provider = PROVIDERS[ref.provider]
    own = ref.provider == "openai"
    warm = choice.temperature if takes(choice.id, "temperature") and not (own and _REASONING.match(ref.model)) else None
    limit: dict[str, Any] = {provider.limit: choice.max_tokens}
    model = classes.get(ref.provider, Server)(
        id=ref.model,
        name=ref.provider,
        provider=ref.provider,
        temperature=warm,
        seed=seed % 2**31 if provider.seed and takes(choice.id, "seed") else None,
        max_retries=0,
        retries=0,
        **limit,
    )
    model.async_client = openai_client(where.base_url, where.key, own=own, lent=where.lent)
    return model


def _anthropic(ref: ModelRef, choice: ModelChoice, where: Address) -> Model:
    from pyscrai.llm.claude import Anthropic, wire_name

    warm = choice.temperature if takes(choice.id, "temperature") else None
    model = Anthropic(
        id=wire_name(ref.model),
        name=ref.provider,
        provider=ref.provider,
        temperature=None if warm is None else min(warm, 1.0),  # its scale ends there
        max_tokens=choice.max_tokens,
        retries=0,
    )
    model.async_client = anthropic_client(where.base_url, where.key, lent=where.lent)
    return model
