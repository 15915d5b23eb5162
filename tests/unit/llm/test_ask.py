"""Asking: metering that nothing goes round, one repair, errors that say what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from agno.metrics import MessageMetrics

from pyscrai.llm import (
    BadKey,
    MissingKey,
    ModelError,
    Overloaded,
    PaidModelBlocked,
    Question,
    RateLimited,
    Refused,
    Rejected,
    TimedOut,
    TooLong,
    Unparsable,
    Unreachable,
    ask,
    warm_up,
)
from pyscrai.llm.metered import _usage

Make = Callable[..., Question]
GOOD = '{"action": "We build the bridge."}'


async def test_a_call_is_reserved_before_and_recorded_after(ask_for: Make, ledger: Any, server: Any) -> None:
    server.says(GOOD)
    assert await ask(ask_for(f"{server.url}#m"), ledger, timeout=5) == {"action": "We build the bridge."}
    (reserved,), (call,) = ledger.reserved, ledger.calls
    assert reserved["call"] == 1
    assert reserved["max_tokens"] == 100
    assert reserved["input_bound"] > len(str(server.asked[0]["messages"]))
    assert reserved["request_hash"] == call.request_hash
    assert (call.event_id, call.lease_no, call.call, call.model) == (5, 2, 1, f"{server.url}#m")
    assert call.usage is not None
    assert (call.usage.input_tokens, call.usage.output_tokens) == (11, 7)
    assert call.answer == GOOD
    assert [message.role for message in call.request] == ["system", "user"]
    assert "JSON Schema" in call.request[0].text


async def test_the_request_carries_the_schema_and_no_text_but_ours(ask_for: Make, ledger: Any, server: Any) -> None:
    server.says(GOOD)
    question = ask_for(f"{server.url}#m")
    await ask(question, ledger, timeout=5)
    sent = server.asked[0]
    assert sent["response_format"]["json_schema"]["schema"] == question.schema
    assert sent["max_tokens"] == 100
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["messages"][1]["content"] == question.user
    assert "tools" not in sent


async def test_an_unusable_answer_is_repaired_once(ask_for: Make, ledger: Any, server: Any) -> None:
    server.says('{"act": 1}')
    server.says(f"Sorry. ```json\n{GOOD}\n```")
    assert await ask(ask_for(f"{server.url}#m"), ledger, timeout=5) == {"action": "We build the bridge."}
    assert [call.call for call in ledger.calls] == [1, 2]
    repair = server.asked[1]["messages"]
    assert [message["role"] for message in repair] == ["system", "user", "assistant", "user"]
    assert "action" in repair[3]["content"]


async def test_two_unusable_answers_are_an_error_and_never_a_third_call(
    ask_for: Make, ledger: Any, server: Any
) -> None:
    server.says("no")
    server.says("still no", finish_reason="length")
    with pytest.raises(Unparsable, match="cut off at 100 tokens") as caught:
        await ask(ask_for(f"{server.url}#m"), ledger, timeout=5)
    assert not caught.value.permanent
    assert len(server.asked) == len(ledger.calls) == 2


async def test_free_text_without_a_schema(ask_for: Make, ledger: Any, server: Any) -> None:
    server.says("Hello.")
    answer = await ask(ask_for(f"{server.url}#m", schema=None), ledger, timeout=5)
    assert answer == {"content": "Hello.", "error": None}
    assert "response_format" not in server.asked[0]


async def test_a_server_without_structured_output_is_asked_again_without(
    ask_for: Make, ledger: Any, server: Any
) -> None:
    server.fails(400, "response_format is not supported")
    server.says(GOOD)
    server.says(GOOD)
    for _ in range(2):
        assert await ask(ask_for(f"{server.url}#plain"), ledger, timeout=5)
    assert ["response_format" in sent for sent in server.asked] == [True, False, False]


class NoMoney(Exception):
    """Stands for what the engine's meter raises."""


async def test_what_the_meter_raises_passes_through_untouched(ask_for: Make, ledger: Any, server: Any) -> None:
    async def refuse(**_: Any) -> None:
        raise NoMoney("not now")

    ledger.reserve = refuse
    with pytest.raises(NoMoney):
        await ask(ask_for(f"{server.url}#m"), ledger, timeout=5)
    assert server.asked == ledger.calls == []


FAILURES = [
    (401, "bad", None, BadKey, True),
    (403, "bad", None, BadKey, True),
    (402, "pay", None, Rejected, True),
    (404, "no such model", None, Rejected, True),
    (400, "too much", "context_length_exceeded", TooLong, True),
    (413, "too much", None, TooLong, True),
    (429, "you exceeded your current quota", "insufficient_quota", Rejected, True),
    (500, "oops", None, Overloaded, False),
    (503, "busy", None, Overloaded, False),
]


@pytest.mark.parametrize(("status", "message", "code", "kind", "permanent"), FAILURES)
async def test_a_status_becomes_an_error_of_ours(
    ask_for: Make, ledger: Any, server: Any, status: int, message: str, code: str | None, kind: type, permanent: bool
) -> None:
    server.fails(status, message, code)
    with pytest.raises(ModelError) as caught:
        await ask(ask_for(f"{server.url}#m"), ledger, timeout=5)
    assert type(caught.value) is kind
    assert caught.value.permanent is permanent
    assert message in str(caught.value)
    (call,) = ledger.calls
    assert call.sent
    assert call.error
    # What was refused cost nothing; what failed at the provider may have cost anything.
    assert (call.usage is None) is (status >= 500)
    assert len(server.asked) == 1


async def test_a_rate_limit_says_how_long(ask_for: Make, ledger: Any, server: Any) -> None:
    server.fails(429, "slow down", retry_after="7")
    with pytest.raises(RateLimited) as caught:
        await ask(ask_for(f"{server.url}#m"), ledger, timeout=5)
    assert caught.value.retry_after == 7
    assert not caught.value.permanent


async def test_a_timeout_and_a_dropped_connection_may_have_cost_something(
    ask_for: Make, ledger: Any, server: Any
) -> None:
    with pytest.raises(Unreachable):
        await ask(ask_for(f"{server.url}#m"), ledger, timeout=5)
    server.hang = True
    with pytest.raises(TimedOut):
        await ask(ask_for(f"{server.url}#m"), ledger, timeout=0.05)
    assert [(call.sent, call.usage) for call in ledger.calls] == [(True, None), (True, None)]


async def test_nobody_there_means_not_sent(ask_for: Make, ledger: Any) -> None:
    with pytest.raises(Unreachable, match="nobody answers"):
        await ask(ask_for("http://127.0.0.1:1/v1#m"), ledger, timeout=5)
    assert [call.sent for call in ledger.calls] == [False]


async def test_a_refusal_is_one_and_was_paid_for(ask_for: Make, ledger: Any, server: Any) -> None:
    server.says(None, message={"refusal": "I will not."})
    with pytest.raises(Refused, match="I will not"):
        await ask(ask_for(f"{server.url}#m"), ledger, timeout=5)
    assert ledger.calls[0].usage is not None


async def test_an_error_inside_a_successful_answer_is_an_error(ask_for: Make, ledger: Any, server: Any) -> None:
    server.says(None, choices=None, error={"code": 502, "message": "upstream is gone"})
    with pytest.raises(Overloaded, match="upstream is gone"):
        await ask(ask_for(f"{server.url}#m"), ledger, timeout=5)


async def test_cancelling_stops_the_call_and_records_it(ask_for: Make, ledger: Any, server: Any) -> None:
    server.hang = True
    task = asyncio.create_task(ask(ask_for(f"{server.url}#m"), ledger, timeout=60))
    await server.busy.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(call.sent, call.usage, call.error) for call in ledger.calls] == [(True, None, "cancelled")]


async def test_connections_are_shared(ask_for: Make, ledger: Any, server: Any) -> None:
    for _ in range(5):
        server.says(GOOD)
        await ask(ask_for(f"{server.url}#m"), ledger, timeout=5)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("model", "variable"), [("gpt-4o-mini", "OPENAI_API_KEY"), ("openai/gpt-4o-mini", "OPENROUTER_API_KEY")]
)
async def test_a_missing_key_is_named(
    ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    monkeypatch.delenv("PYSCRAI_NO_PAID_MODELS", raising=False)
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(MissingKey, match=variable) as caught:
        await ask(ask_for(model), ledger, timeout=5)
    assert caught.value.permanent
    # The key is looked for when the call is granted, because a recorded answer needs none; then nothing was sent.
    assert [(call.sent, call.usage, call.answer) for call in ledger.calls] == [(False, None, None)]


@pytest.mark.parametrize("model", ["gpt-4o-mini", "openai/gpt-4o-mini", "https://models.example.org/v1#m"])
async def test_tests_cannot_reach_a_paid_model(
    ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("PYSCRAI_NO_PAID_MODELS", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setenv("OPENROUTER_API_KEY", "key")
    with pytest.raises(PaidModelBlocked):
        await ask(ask_for(model), ledger, timeout=5)


async def test_a_key_goes_to_its_own_server_and_into_no_record(
    ask_for: Make, ledger: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    server.says(GOOD)
    await ask(ask_for("gpt-4o-mini"), ledger, timeout=5)
    assert "bearer sk-secret" in server.headers[0]
    assert "sk-secret" not in ledger.calls[0].model_dump_json()


async def test_many_questions_at_once_do_not_mix(ask_for: Make, ledger: Any, script: Callable[..., str]) -> None:
    model = script(default={"answer": {"action": "turn {turn} of {seat}"}})
    questions = [ask_for(model, seat=f"seat-{n}", turn=n) for n in range(200)]
    answers = await asyncio.gather(*(ask(question, ledger, timeout=5) for question in questions))
    assert [answer["action"] for answer in answers] == [f"turn {n} of seat-{n}" for n in range(200)]


async def test_waiting_for_ones_turn_is_no_part_of_the_time_out(
    ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with the local model, which takes one request at a time: a long line must not look like a slow answer."""
    await warm_up()
    from pyscrai.llm.rehearsal.model import Rehearsal

    loop, timeout = asyncio.get_running_loop(), 0.5

    @asynccontextmanager
    async def turn(_: Rehearsal) -> AsyncIterator[None]:
        late = asyncio.Event()
        loop.call_later(timeout * 1.2, late.set)
        await late.wait()
        yield

    monkeypatch.setattr(Rehearsal, "turn", turn, raising=False)
    assert await ask(ask_for("rehearsal"), ledger, timeout=timeout)
    assert ledger.calls[0].error is None


@pytest.mark.parametrize(
    ("told", "known"),
    [
        (None, False),
        (MessageMetrics(), False),  # some servers send a count of noughts where they do not count
        (MessageMetrics(input_tokens=1), True),
        (MessageMetrics(output_tokens=1), True),
    ],
)
def test_an_answer_of_no_tokens_was_not_counted(told: MessageMetrics | None, known: bool) -> None:
    assert (_usage(told, answered=True) is not None) == known
    assert (_usage(told, answered=False) is not None) == (told is not None)
