"""What each provider answers is read right: the result, what it cost, what it would not say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.llm.providers.protocols import (
    USAGE,
    Anthropic,
    AnyServer,
    Gemini,
    Groq,
    Ollama,
    OpenAI,
    OpenRouter,
    Protocol,
    Reply,
)

from pyscrai.contract.events import ModelChoice, Usage
from pyscrai.llm import ModelError, Question, Refused, TimedOut, Unparsable, Unreachable, ask

Make = Callable[..., Question]
GOOD = '{"action": "We build the bridge."}'
RESULT = {"action": "We build the bridge."}


def warm(question: Question, temperature: float) -> Question:
    choice = ModelChoice(id=question.model.id, max_tokens=100, temperature=temperature, seed=2**40 + 5)
    return replace(question, model=choice)


async def test_a_result_in_the_form_of_its_schema(provider: Protocol, model: str, ask_for: Make, ledger: Any) -> None:
    provider.says(GOOD)
    question = warm(ask_for(model), 0.5)
    assert await ask(question, ledger, timeout=5) == RESULT
    (request,), (call,), (reserved,) = provider.requests, ledger.calls, ledger.reserved
    assert request.body["model"] == provider.wire_model
    assert request.body[provider.limit] == reserved["max_tokens"] == 100
    assert request.body["temperature"] == 0.5
    assert request.body.get("seed") == (5 if "seed" in provider.takes else None)
    assert provider.schema(request.body) == question.schema
    texts = provider.texts(request.body)
    assert [(message.role, message.text) for message in call.request] == texts
    assert texts[1] == ("user", question.user)
    assert call.usage == Usage(input_tokens=1117, output_tokens=46)
    assert (call.model, call.sent, call.error) == (model, True, None)
    assert reserved["input_bound"] > sum(len(text) for _, text in texts)


async def test_a_text_without_a_schema(provider: Protocol, model: str, ask_for: Make, ledger: Any) -> None:
    provider.says("The river is low.")
    answer = await ask(ask_for(model, schema=None), ledger, timeout=5)
    assert answer == {"content": "The river is low.", "error": None}
    assert provider.schema(provider.requests[0].body) is None
    assert "temperature" not in provider.requests[0].body


async def test_a_broken_answer_is_repaired(provider: Protocol, model: str, ask_for: Make, ledger: Any) -> None:
    provider.says('{"action": "We bui', finish="length")
    provider.says(GOOD)
    question = ask_for(model)
    question = replace(question, model=question.model.model_copy(update={"max_tokens": 46}))
    assert await ask(question, ledger, timeout=5) == RESULT
    texts = provider.texts(provider.requests[1].body)
    assert [role for role, _ in texts] == ["system", "user", "assistant", "user"]
    assert texts[2][1] == '{"action": "We bui'
    assert "cut off at 46 tokens" in texts[3][1]
    assert [call.usage.output_tokens for call in ledger.calls] == [46, 46]


async def test_a_wrong_object_is_repaired_once(provider: Protocol, model: str, ask_for: Make, ledger: Any) -> None:
    provider.says('{"act": 1}')
    provider.says('{"act": 2}', finish="length")
    with pytest.raises(Unparsable, match="cut off at 100 tokens"):
        await ask(ask_for(model), ledger, timeout=5)
    assert len(provider.requests) == len(ledger.calls) == 2
    assert ledger.calls[1].answer is not None


async def test_an_empty_answer_is_repaired(provider: Protocol, model: str, ask_for: Make, ledger: Any) -> None:
    provider.says("", finish="length")
    provider.says(GOOD)
    assert await ask(ask_for(model), ledger, timeout=5) == RESULT


def _details(cached: int, reasoning: int = 0, **usage: int) -> dict[str, Any]:
    told: dict[str, Any] = USAGE | usage | {"prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0}}
    if reasoning:
        told["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return told


COUNTED = [
    (OpenAI, _details(1024, 20), Usage(input_tokens=1117, output_tokens=46, cached_tokens=1024, reasoning_tokens=20)),
    (
        OpenRouter,
        _details(1024, 20),
        Usage(input_tokens=1117, output_tokens=46, cached_tokens=1024, reasoning_tokens=20),
    ),
    (Groq, _details(1000), Usage(input_tokens=1117, output_tokens=46, cached_tokens=1000)),
    # Thoughts are in the total alone.
    (Gemini, USAGE | {"total_tokens": 1568}, Usage(input_tokens=1117, output_tokens=451)),
    (
        Anthropic,
        {"input_tokens": 17, "output_tokens": 46, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 100},
        Usage(input_tokens=1117, output_tokens=46, cached_tokens=1000, cache_write_tokens=100),
    ),
]


@pytest.mark.parametrize(("protocol", "told", "counted"), COUNTED, ids=[each[0].name for each in COUNTED])
async def test_all_tokens_are_counted(
    provider: Protocol, model: str, ask_for: Make, ledger: Any, told: dict[str, Any], counted: Usage
) -> None:
    provider.says(GOOD, usage=told)
    await ask(ask_for(model), ledger, timeout=5)
    assert ledger.calls[0].usage == counted


@pytest.mark.parametrize("protocol", [OpenAI, OpenRouter, Groq, Ollama, AnyServer], ids=lambda each: each.name)
async def test_where_nobody_counts_nothing_is_known(provider: OpenAI, model: str, ask_for: Make, ledger: Any) -> None:
    body = provider.answer(GOOD).body
    del body["usage"]
    provider.replies.append(Reply(200, body))
    await ask(ask_for(model), ledger, timeout=5)
    assert ledger.calls[0].usage is None
    assert ledger.calls[0].sent


def _refusals() -> list[Any]:
    declined = {"role": "assistant", "content": None, "refusal": "I'm sorry, I cannot help with that."}
    filtered = {"role": "assistant", "content": None}
    return [
        pytest.param(OpenAI, OpenAI().completion(declined, "stop", USAGE), "I cannot help", id="openai"),
        pytest.param(OpenAI, OpenAI().completion(filtered, "content_filter", USAGE), "filter", id="openai-filter"),
        pytest.param(OpenRouter, OpenRouter().completion(declined, "stop", USAGE), "I cannot help", id="openrouter"),
        pytest.param(Gemini, Gemini().completion(filtered, "content_filter", USAGE), "filter", id="gemini"),
        pytest.param(Anthropic, Anthropic().answer("", "refusal").body, "declined", id="anthropic"),
    ]


@pytest.mark.parametrize(("protocol", "body", "says"), _refusals())
async def test_a_refusal_is_said_and_was_paid_for(
    provider: Protocol, model: str, ask_for: Make, ledger: Any, body: Any, says: str
) -> None:
    provider.replies.append(Reply(200, body))
    with pytest.raises(Refused, match=says) as caught:
        await ask(ask_for(model), ledger, timeout=5)
    assert not caught.value.permanent
    assert ledger.calls[0].usage == Usage(input_tokens=1117, output_tokens=46)
    assert len(provider.requests) == 1


@pytest.mark.parametrize("protocol", [Gemini], ids=["gemini"])
async def test_a_prompt_that_google_stops_is_a_refusal(
    provider: Gemini, model: str, ask_for: Make, ledger: Any
) -> None:
    body = provider.completion({"content": ""}, "stop", USAGE)
    provider.replies.append(Reply(200, body | {"choices": []}))
    with pytest.raises(Refused, match="filter"):
        await ask(ask_for(model), ledger, timeout=5)


@pytest.mark.parametrize("protocol", [OpenRouter], ids=["openrouter"])
async def test_an_error_of_a_host_behind_the_router(
    provider: OpenRouter, model: str, ask_for: Make, ledger: Any
) -> None:
    body = provider.completion({"role": "assistant", "content": ""}, "error", USAGE)
    body["choices"][0]["error"] = {"code": 502, "message": "Upstream error from Anthropic"}
    provider.replies.append(Reply(200, body))
    with pytest.raises(ModelError, match="Upstream error") as caught:
        await ask(ask_for(model), ledger, timeout=5)
    assert caught.value.code == "model_overloaded"


@pytest.mark.parametrize("protocol", [Groq], ids=["groq"])
async def test_an_answer_that_groq_found_wrong_is_repaired(
    provider: Groq, model: str, ask_for: Make, ledger: Any
) -> None:
    provider.fails("does_not_fit")
    provider.says(GOOD)
    assert await ask(ask_for(model), ledger, timeout=5) == RESULT
    assert provider.texts(provider.requests[1].body)[2] == ("assistant", '{"act": "We wait."}')
    # The model worked, and nobody said how much.
    assert [call.usage is None for call in ledger.calls] == [True, False]


async def test_an_answer_that_is_none_is_an_error(provider: Protocol, model: str, ask_for: Make, ledger: Any) -> None:
    provider.replies.append(Reply(200, "<html>Please sign in</html>"))
    provider.replies.append(Reply(200, {"hello": "there"}))
    for _ in range(2):
        with pytest.raises(ModelError) as caught:
            await ask(ask_for(model), ledger, timeout=5)
        assert caught.value.code == "model_error"
    assert [(call.sent, call.usage) for call in ledger.calls] == [(True, None), (True, None)]


async def test_a_dropped_connection_and_silence(provider: Protocol, model: str, ask_for: Make, ledger: Any) -> None:
    with pytest.raises(Unreachable):
        await ask(ask_for(model), ledger, timeout=5)
    provider.hang = True
    with pytest.raises(TimedOut):
        await ask(ask_for(model), ledger, timeout=0.05)
    assert [(call.sent, call.usage) for call in ledger.calls] == [(True, None), (True, None)]


async def test_a_cancelled_call_is_recorded(provider: Protocol, model: str, ask_for: Make, ledger: Any) -> None:
    provider.hang = True
    task = asyncio.create_task(ask(ask_for(model), ledger, timeout=60))
    await provider.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(call.sent, call.usage, call.error) for call in ledger.calls] == [(True, None, "cancelled")]


async def test_questions_share_a_connection(provider: Protocol, model: str, ask_for: Make, ledger: Any) -> None:
    for _ in range(3):
        provider.says(GOOD)
        await ask(ask_for(model), ledger, timeout=5)
    assert provider.connections == 1


@pytest.mark.parametrize("protocol", [Anthropic], ids=["anthropic"])
async def test_a_temperature_beyond_the_scale_is_its_end(
    provider: Anthropic, model: str, ask_for: Make, ledger: Any
) -> None:
    provider.says(GOOD)
    await ask(warm(ask_for(model), 1.7), ledger, timeout=5)
    assert provider.requests[0].body["temperature"] == 1.0


@pytest.mark.parametrize("protocol", [Anthropic], ids=["anthropic"])
async def test_the_old_interface_is_asked_for_the_sake_of_a_temperature_alone(
    provider: Anthropic, ask_for: Make, ledger: Any
) -> None:
    for name in ("claude-3-haiku", "claude-opus-4-8"):  # the second refuses a temperature in any version
        provider.says(GOOD)
        await ask(warm(ask_for(name), 0.5), ledger, timeout=5)
    provider.says(GOOD)
    await ask(ask_for("claude-3-haiku"), ledger, timeout=5)
    versions = [request.headers["anthropic-version"] for request in provider.requests]
    assert versions == ["2023-06-01", "2026-10-21", "2026-10-21"]


@pytest.mark.parametrize("protocol", [OpenAI], ids=["openai"])
async def test_a_model_that_reasons_gets_no_temperature(provider: OpenAI, ask_for: Make, ledger: Any) -> None:
    provider.says(GOOD)
    await ask(warm(ask_for("o3-mini"), 0.5), ledger, timeout=5)
    assert "temperature" not in provider.requests[0].body


OPEN_SCHEMA = {"type": "object", "properties": {"facts": {"type": "object"}}, "required": ["facts"]}


@pytest.mark.parametrize("protocol", [Anthropic], ids=["anthropic"])
async def test_newer_models_of_anthropic_get_structured_output(provider: Anthropic, ask_for: Make, ledger: Any) -> None:
    provider.says(GOOD)
    assert await ask(ask_for("claude-sonnet-5-5"), ledger, timeout=5) == RESULT
    told = provider.requests[0].body["output_config"]["format"]
    assert told == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"action": {"type": "string"}},
            "required": ["action"],
            "additionalProperties": False,
        },
    }
    provider.says('{"facts": {"level": 3}}')
    answer = await ask(ask_for("claude-sonnet-5-5", schema=OPEN_SCHEMA), ledger, timeout=5)
    assert answer == {"facts": {"level": 3}}
    assert "output_config" not in provider.requests[1].body


NULLABLE = {"type": ["string", "null"], "maxLength": 5}


@pytest.mark.parametrize(
    ("schema", "narrow"),
    [
        ({"type": "integer", "minimum": 3, "description": "How many"}, {"type": "integer", "description": "How many"}),
        (NULLABLE, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (
            {"oneOf": [{"type": "number"}, {"enum": ["a", None]}]},
            {"anyOf": [{"type": "number"}, {"enum": ["a", None]}]},
        ),
        ({"const": 3}, {"enum": [3]}),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 9}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "array"}, None),
        ({}, None),
        (True, None),
        ({"enum": [{"a": 1}]}, None),
        ({"$ref": "#/$defs/x"}, None),
        ({"type": "object", "properties": {"a": {}}}, None),
        ({"type": "object", "properties": {"a": NULLABLE}, "additionalProperties": {"type": "string"}}, None),
        ({"type": "object", "properties": {"a": NULLABLE}, "required": ["b"]}, None),
        ({"allOf": [{"type": "object"}]}, None),
    ],
)
def test_what_structured_output_can_say(schema: Any, narrow: Any) -> None:
    from pyscrai.llm.claude import narrowed

    assert narrowed(schema) == narrow
