"""What each provider says when it does not answer becomes the right error, and the right cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.llm.providers.protocols import KEY, PROTOCOLS, Anthropic, OpenAI, OpenRouter, Protocol

from pyscrai.contract.events import ModelChoice, Usage
from pyscrai.llm import (
    BadKey,
    ModelError,
    Overloaded,
    Question,
    RateLimited,
    Refused,
    Rejected,
    TooLong,
    ask,
)

Make = Callable[..., Question]
GOOD = '{"action": "We build the bridge."}'
RESULT = {"action": "We build the bridge."}

MEANS: dict[str, tuple[type[ModelError], bool]] = {
    "unauthorized": (BadKey, True),
    "unknown_model": (Rejected, True),
    "rate_limited": (RateLimited, False),
    "no_credit": (Rejected, True),
    "too_long": (TooLong, True),
    "too_big": (TooLong, True),
    "overloaded": (Overloaded, False),
    "broken": (Overloaded, False),
    "refused": (Refused, False),
}
AFTER = {"openai": 6.5, "openrouter": 12, "gemini": 53, "groq": 2, "anthropic": 31}


def _said(protocol: type[Protocol], kind: str) -> str:
    body = protocol.errors[kind].body
    told = body[0] if isinstance(body, list) else body
    return str(told["error"]["message"]).replace(KEY, "[key]")


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [pytest.param(each, kind, id=f"{each.name}-{kind}") for each in PROTOCOLS for kind in each.errors if kind in MEANS],
)
async def test_an_error_means_what_the_provider_means(
    protocol: type[Protocol], provider: Protocol, model: str, ask_for: Make, ledger: Any, kind: str
) -> None:
    expected, permanent = MEANS[kind]
    provider.fails(kind)
    with pytest.raises(ModelError) as caught:
        await ask(ask_for(model), ledger, timeout=5)
    assert type(caught.value) is expected
    assert caught.value.permanent is permanent
    assert _said(protocol, kind)[:20] in str(caught.value)
    (call,) = ledger.calls
    assert call.sent
    assert call.error == caught.value.message
    # Overloaded providers did not begin; what broke may have cost anything.
    assert call.usage == (None if kind == "broken" else Usage())
    assert caught.value.unbilled is (kind in ("rate_limited", "overloaded"))
    assert call.retry_after == caught.value.retry_after
    assert len(provider.requests) == 1, "the provider's client tried again by itself"
    if kind == "rate_limited":
        assert caught.value.retry_after == AFTER[protocol.name]


@pytest.mark.parametrize("protocol", [Anthropic], ids=["anthropic"])
async def test_an_overloaded_provider_may_say_for_how_long(
    provider: Anthropic, model: str, ask_for: Make, ledger: Any
) -> None:
    provider.fails("overloaded")
    with pytest.raises(Overloaded) as caught:
        await ask(ask_for(model), ledger, timeout=5)
    assert caught.value.retry_after == 4


async def test_a_model_that_takes_no_schema_is_asked_without(
    provider: Protocol, model: str, ask_for: Make, ledger: Any
) -> None:
    provider.fails("no_format")
    provider.says(GOOD)
    provider.says(GOOD)
    for _ in range(2):
        assert await ask(ask_for(model), ledger, timeout=5) == RESULT
    assert [provider.schema(request.body) is not None for request in provider.requests] == [True, False, False]
    assert "JSON Schema" in provider.texts(provider.requests[1].body)[0][1]
    assert ledger.calls[0].usage == Usage()


@pytest.mark.parametrize("protocol", [OpenAI, Anthropic], ids=lambda each: each.name)
async def test_a_model_that_takes_no_temperature_is_asked_without(
    provider: Protocol, model: str, ask_for: Make, ledger: Any
) -> None:
    provider.fails("no_temperature")
    provider.says(GOOD)
    question = ask_for(model)
    question = replace(question, model=ModelChoice(id=model, max_tokens=100, temperature=0.5))
    assert await ask(question, ledger, timeout=5) == RESULT
    assert ["temperature" in request.body for request in provider.requests] == [True, False]


@pytest.mark.parametrize("protocol", [OpenAI], ids=["openai"])
async def test_what_was_learned_is_left_out_of_the_next_try(
    provider: OpenAI, model: str, ask_for: Make, ledger: Any
) -> None:
    provider.fails("no_temperature")
    provider.fails("no_format")
    provider.says(GOOD)
    question = replace(ask_for(model), model=ModelChoice(id=model, max_tokens=100, temperature=0.5))
    with pytest.raises(ModelError) as caught:
        await ask(question, ledger, timeout=5)
    assert not caught.value.permanent
    assert await ask(question, ledger, timeout=5) == RESULT
    assert len(ledger.calls) == 3


@pytest.mark.parametrize("protocol", [OpenRouter], ids=["openrouter"])
async def test_a_model_of_another_address_is_not_mistaken(
    provider: OpenRouter, model: str, ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_BASE_URL", provider.url.replace("/api/v1", "/v2"))
    with pytest.raises(Rejected, match="Invalid URL"):
        await ask(ask_for(model), ledger, timeout=5)
