"""The scripted model: addressed answers, and every kind of trouble."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from pyscrai.llm import (
    BadKey,
    ModelError,
    Overloaded,
    Question,
    RateLimited,
    Refused,
    Rejected,
    TimedOut,
    TooLong,
    Unreachable,
    ask,
)

Make = Callable[..., Question]
Script = Callable[..., str]


def answer(text: str) -> dict[str, str]:
    return {"action": text}


async def test_the_most_specific_answer_wins(ask_for: Make, ledger: Any, script: Script) -> None:
    model = script(
        answers=[
            {"when": {"seat": "mayor"}, "answer": answer("any turn")},
            {"when": {"seat": "mayor", "turn": 2}, "answer": answer("turn {turn}, try {try}, {other}")},
            {"when": {"seat": ["baker", "smith"]}, "answer": answer("a craft")},
            {"when": {"seat": "*", "phase": "other"}, "answer": answer("no")},
        ],
        default={"answer": answer("nobody")},
    )
    places: list[dict[str, Any]] = [{"turn": 1}, {"turn": 2}, {"seat": "smith"}, {"seat": "priest"}]
    got = [(await ask(ask_for(model, **place), ledger, timeout=5))["action"] for place in places]
    assert got == ["any turn", "turn 2, try 1, {other}", "a craft", "nobody"]


async def test_answers_are_addressed_by_try_and_call(ask_for: Make, ledger: Any, script: Script) -> None:
    model = script(
        answers=[
            {"when": {"try": 1}, "fail": "server_error"},
            {"when": {"try": 2, "call": 1}, "answer": '{"action": "broken'},
            {"when": {"try": 2, "call": 2}, "answer": answer("repaired")},
        ]
    )
    with pytest.raises(Overloaded):
        await ask(ask_for(model), ledger, timeout=5)
    assert await ask(ask_for(model, try_no=2), ledger, timeout=5) == answer("repaired")


TROUBLE = {
    "rate_limit": (RateLimited, True),
    "server_error": (Overloaded, False),
    "timeout": (TimedOut, False),
    "dropped": (Unreachable, False),
    "refused": (Refused, False),
    "too_long": (TooLong, True),
    "bad_key": (BadKey, True),
}


async def test_the_rest_can_be_rehearsed(ask_for: Make, ledger: Any, script: Script) -> None:
    model = script(answers=[{"when": {"seat": "baker"}, "answer": answer("no")}], default={"rehearse": True})
    assert await ask(ask_for(model, seat="baker"), ledger, timeout=5) == answer("no")
    said = await ask(ask_for(model, seat="smith"), ledger, timeout=5)
    assert said == await ask(ask_for("rehearsal", seat="smith"), ledger, timeout=5)


@pytest.mark.parametrize("fail", TROUBLE)
async def test_every_kind_of_trouble(ask_for: Make, ledger: Any, script: Script, fail: str) -> None:
    kind, unbilled = TROUBLE[fail]
    with pytest.raises(ModelError) as caught:
        await ask(ask_for(script(default={"fail": fail, "retry_after": 3})), ledger, timeout=5)
    assert type(caught.value) is kind
    assert (ledger.calls[0].usage is not None) is unbilled
    if fail == "rate_limit":
        assert caught.value.retry_after == 3


async def test_latency_runs_into_the_timeout(ask_for: Make, ledger: Any, script: Script) -> None:
    with pytest.raises(TimedOut):
        await ask(ask_for(script(default={"answer": answer("late"), "latency": 60})), ledger, timeout=0.05)


async def test_usage_can_be_exactly_what_was_reserved(ask_for: Make, ledger: Any, script: Script) -> None:
    await ask(ask_for(script(usage="upper_bound", default={"answer": answer("x")})), ledger, timeout=5)
    usage, reserved = ledger.calls[0].usage, ledger.reserved[0]
    assert (usage.input_tokens, usage.output_tokens) == (reserved["input_bound"], reserved["max_tokens"])


async def test_usage_can_be_given(ask_for: Make, ledger: Any, script: Script) -> None:
    entry = {"answer": answer("x"), "usage": {"input": 3, "output": 4}}
    await ask(ask_for(script(default=entry)), ledger, timeout=5)
    assert (ledger.calls[0].usage.input_tokens, ledger.calls[0].usage.output_tokens) == (3, 4)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"answers": []}, "no answer for event_type decide, seat mayor"),
        ({"answers": [{"when": {"saet": 1}, "answer": "x"}]}, "`when` knows"),
        ({"answers": [{"answr": "x"}]}, "unknown key 'answr'"),
        ({"answers": [{"fail": "sneeze"}]}, "`fail` knows"),
        ({"default": {"latency": 1}}, "none of"),
        ({"answers": 5}, "must be a mapping"),
    ],
)
async def test_a_wrong_script_says_where(ask_for: Make, ledger: Any, script: Script, told: Any, says: str) -> None:
    with pytest.raises(Rejected, match=says):
        await ask(ask_for(script(**told)), ledger, timeout=5)


async def test_a_script_that_is_not_there(ask_for: Make, ledger: Any) -> None:
    with pytest.raises(Rejected, match="cannot read"):
        await ask(ask_for("scripted:/nowhere.yaml"), ledger, timeout=5)


async def test_a_changed_script_is_read_again(ask_for: Make, ledger: Any, script: Script) -> None:
    assert await ask(ask_for(script(default={"answer": answer("one")})), ledger, timeout=5) == answer("one")
    before = time.time_ns()
    model = script(default={"answer": answer("two")})
    import os

    os.utime(model.removeprefix("scripted:"), ns=(before + 10**9, before + 10**9))
    assert await ask(ask_for(model), ledger, timeout=5) == answer("two")
