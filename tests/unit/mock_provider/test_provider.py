"""The provider behind its HTTP interface: what is answered, and what is on the bill."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.mock_provider.conftest import PROMPT, SCHEMA

from pyscrai_mock_provider.faults import FAULTS
from pyscrai_mock_provider.outcomes import Dropped, Held, Outcome, Reply
from pyscrai_mock_provider.provider import Provider
from pyscrai_mock_provider.schemas import compact, validator

Make = Callable[..., Provider]
Request = Callable[..., bytes]
KEY = "sk-planted-0123456789"


async def ask(provider: Provider, body: bytes, key: str | None = None, *, connected: bool = True) -> Outcome:
    with provider.request():
        return await provider.complete(body, key, lambda: connected)


async def told(provider: Provider, body: bytes, key: str | None = None) -> dict[str, Any]:
    outcome = await ask(provider, body, key)
    assert isinstance(outcome, Reply)
    answer: dict[str, Any] = json.loads(outcome.body)
    return answer | {"status": outcome.status}


def content(answer: dict[str, Any]) -> str:
    text: str = answer["choices"][0]["message"]["content"]
    return text


async def test_an_answer_fits_its_schema_and_depends_on_request_and_seed_alone(
    provider_of: Make, request_of: Request
) -> None:
    answers = [content(await told(provider_of(seed=seed), request_of())) for seed in (1, 1, 2)]
    for answer in answers:
        validator(compact(SCHEMA)).validate(json.loads(answer))
    assert answers[0] == answers[1] != answers[2]
    provider = provider_of()
    other, *same = [content(await told(provider, request_of(seed=seed))) for seed in (4, 5, 5)]
    assert same[0] == same[1] != other


async def test_usage_on_the_bill_is_the_usage_in_the_answer(provider_of: Make, request_of: Request) -> None:
    provider = provider_of(price="1,2,0.5,1.5,0.01", cached_share="0.5", cache_write_share="0.25", reasoning=11)
    answer = await told(provider, request_of(), KEY)
    (line,) = provider.bill.shown()["lines"]
    used = answer["usage"]
    assert used["prompt_tokens"] == line["input_tokens"]
    assert used["completion_tokens"] == line["output_tokens"] == 11 + -(-len(content(answer).encode()) // 4)
    assert used["prompt_tokens_details"]["cached_tokens"] == line["cached_tokens"] == line["input_tokens"] // 2
    assert used["prompt_tokens_details"]["cache_write_tokens"] == line["cache_write_tokens"]
    assert used["completion_tokens_details"]["reasoning_tokens"] == line["reasoning_tokens"] == 11
    plain = line["input_tokens"] - line["cached_tokens"] - line["cache_write_tokens"]
    cost = plain + Decimal("0.5") * line["cached_tokens"] + Decimal("1.5") * line["cache_write_tokens"]
    assert Decimal(line["cost"]) == (cost + 2 * line["output_tokens"]) / 1_000_000 + Decimal("0.01")
    assert (line["number"], line["request"], line["delivered"], line["status"]) == (1, 1, True, 200)
    assert KEY not in json.dumps(provider.bill.shown())


async def test_an_answer_ends_where_max_tokens_says(provider_of: Make, request_of: Request) -> None:
    provider = provider_of(length_median=500, length_sigma=0, reasoning=15)
    answer = await told(provider, request_of(max_tokens=40))
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] <= 40
    assert len(content(answer).encode()) <= 4 * 25
    thoughts_only = await told(provider, request_of(max_completion_tokens=9))
    assert (content(thoughts_only), thoughts_only["usage"]["completion_tokens"]) == ("", 9)


async def test_lengths_are_log_normal(provider_of: Make, request_of: Request) -> None:
    provider = provider_of(length_median=120, length_sigma=0.4)
    counts = sorted([(await told(provider, request_of(seed=n)))["usage"]["completion_tokens"] for n in range(60)])
    assert 95 < counts[30] < 145
    assert counts[0] < 80
    assert counts[-1] > 180


async def test_plain_text_and_any_json_are_answered(provider_of: Make, request_of: Request) -> None:
    provider = provider_of(length_median=50)
    assert content(await told(provider, request_of(schema=None)))
    free = await told(provider, request_of(schema=None, response_format={"type": "json_object"}))
    assert isinstance(json.loads(content(free)), dict)


@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_the_bill_has_a_line_exactly_where_an_answer_was_made(
    provider_of: Make, request_of: Request, fault: str
) -> None:
    provider = provider_of(fault=[fault])
    outcome = await ask(provider, request_of(max_tokens=400))
    bill = provider.bill.shown()
    assert len(bill["lines"]) == FAULTS[fault].billed
    assert bill["endings"] == {fault: 1}
    status = outcome.status if isinstance(outcome, Reply) else None
    assert [line["status"] for line in bill["lines"]] == [status] * FAULTS[fault].billed
    assert all(Decimal(line["cost"]) > 0 for line in bill["lines"])


async def test_what_each_fault_does(provider_of: Make, request_of: Request) -> None:
    outcomes = {fault: await ask(provider_of(fault=[fault]), request_of(max_tokens=90)) for fault in FAULTS}
    statuses = {"rate_limit": 429, "overloaded": 529, "server_error": 500, "late_error": 500}
    statuses |= {"bad_key": 401, "too_long": 400}
    held = {"dropped_before": Dropped, "dropped": Dropped, "timeout": Held}
    for fault, outcome in outcomes.items():
        assert isinstance(outcome, held.get(fault, Reply)), fault
        if isinstance(outcome, Reply):
            assert outcome.status == statuses.get(fault, 200), fault
    answers = {
        fault: json.loads(outcome.body)
        for fault, outcome in outcomes.items()
        if isinstance(outcome, Reply) and outcome.status == 200 and fault != "broken_body"
    }
    with pytest.raises(json.JSONDecodeError):
        json.loads(content(answers["broken_json"]))
    assert content(answers["empty"]) == ""
    assert answers["refused"]["choices"][0]["message"]["refusal"]
    assert "usage" not in answers["no_usage"]
    assert answers["overlong"]["choices"][0]["finish_reason"] == "length"
    assert answers["overlong"]["usage"]["completion_tokens"] == 90
    assert answers["overcharged"]["usage"]["completion_tokens"] == 270


async def test_every_kind_of_broken_json_is_broken(provider_of: Make, request_of: Request) -> None:
    provider = provider_of(fault=["broken_json"])
    said = {content(await told(provider, request_of(seed=number))) for number in range(24)}
    for text in said:
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)
    assert len({text[:3] for text in said}) > 2


async def test_faults_are_the_same_whenever_the_same_is_asked(provider_of: Make, request_of: Request) -> None:
    async def play(order: list[int]) -> dict[int, list[str]]:
        provider = provider_of(faults="all", seed=5)
        ends: dict[int, list[str]] = {number: [] for number in order}
        for number in order:
            await ask(provider, request_of(seed=number))
            ends[number].append(provider.bill.seen[-1].ending)
        return ends

    order = [number % 40 for number in range(120)]
    first = await play(order)
    assert first == await play(order[::-1])
    assert len({end for ends in first.values() for end in ends}) > 4


async def test_a_new_bill_begins_everything_anew(provider_of: Make, request_of: Request) -> None:
    provider = provider_of(faults="all", latency="0")

    async def play() -> dict[str, Any]:
        for number in range(60):
            await ask(provider, request_of(seed=number))
        return provider.bill.shown()

    first = await play()
    provider.reset()
    assert provider.bill.shown()["totals"]["requests"] == 0
    assert await play() == first


async def test_a_wrong_key_costs_nothing(provider_of: Make, request_of: Request) -> None:
    provider = provider_of(key=KEY)
    assert (await told(provider, request_of(), "sk-other"))["status"] == 401
    assert (await told(provider, request_of()))["status"] == 401
    assert provider.bill.lines == []
    assert (await told(provider, request_of(), KEY))["status"] == 200


async def test_a_key_is_repeated_where_that_is_wanted(provider_of: Make, request_of: Request) -> None:
    provider = provider_of(echo_key=True, key=KEY)
    answer = await told(provider, request_of(), KEY)
    assert KEY in content(answer)
    validator(compact(SCHEMA)).validate(json.loads(content(answer)))
    for other in (provider, provider_of(echo_key=True, fault=["rate_limit"]), provider_of(echo_key=True)):
        wrong = await told(other, request_of() if other is not provider else b"{", KEY)
        assert KEY in json.dumps(wrong)
        assert KEY not in json.dumps(other.bill.shown())
    quiet = await told(provider_of(), request_of(), KEY)
    assert KEY not in json.dumps(quiet)


async def test_more_at_once_than_allowed_are_turned_away(provider_of: Make, request_of: Request) -> None:
    provider = provider_of(concurrency=2, retry_after=3)
    with provider.request():
        assert (await told(provider, request_of()))["status"] == 200
        with provider.request():
            turned_away = await ask(provider, request_of())
    assert isinstance(turned_away, Reply)
    assert (turned_away.status, turned_away.headers["retry-after"]) == (429, "3")
    assert (await told(provider, request_of()))["status"] == 200
    assert provider.bill.shown()["endings"] == {"answered": 2, "too_many_at_once": 1}
    assert len(provider.bill.lines) == 2
    assert provider.bill.shown()["totals"]["most_at_once"] == 3, "the one turned away was there too"


async def test_more_a_minute_than_allowed_are_turned_away(provider_of: Make, request_of: Request) -> None:
    now = [0.0]
    provider = Provider(provider_of(rate_limit=2).settings, lambda: now[0])
    statuses = [(await told(provider, request_of(seed=number)))["status"] for number in range(4)]
    now[0] += 30
    statuses += [(await told(provider, request_of(seed=number)))["status"] for number in range(2)]
    assert statuses == [200, 200, 429, 429, 200, 429]
    assert provider.bill.shown()["endings"] == {"answered": 3, "too_many_a_minute": 3}
    assert [request["at"] for request in provider.bill.requests()] == [0, 0, 0, 0, 30, 30]
    assert [request["ending"] for request in provider.bill.requests(after=4)] == ["answered", "too_many_a_minute"]


async def test_nobody_there_any_more_is_on_the_bill_and_not_delivered(provider_of: Make, request_of: Request) -> None:
    provider = provider_of()
    await ask(provider, request_of(), connected=False)
    (line,) = provider.bill.shown()["lines"]
    assert (line["delivered"], line["status"]) == (False, None)


async def test_the_bill_is_read_from_a_line_on(provider_of: Make, request_of: Request) -> None:
    provider = provider_of(price="1,1")
    for number in range(5):
        await ask(provider, request_of(seed=number))
    whole, rest = provider.bill.shown(), provider.bill.shown(after=3)
    assert [line["number"] for line in rest["lines"]] == [4, 5]
    assert rest["lines"] == whole["lines"][3:]
    assert rest["totals"] == whole["totals"]
    assert Decimal(whole["totals"]["cost"]) == sum(Decimal(line["cost"]) for line in whole["lines"])


async def test_a_script_answers_before_anything_else(provider_of: Make, request_of: Request, tmp_path: Path) -> None:
    script = {
        "usage": {"input": 100, "output": 20, "cached": 500},
        "answers": [
            {"when": {"call": 2}, "rehearse": True, "usage": {"input": 1}},
            {"when": {"contains": ["mayor", "queen"]}, "answer": {"action": "{model} says {request}, {other}"}},
            {"when": {"contains": "mayor", "try": 1, "call": 1}, "fail": "rate_limit", "retry_after": 9},
        ],
    }
    path = tmp_path / "script.yaml"
    path.write_text(yaml.safe_dump(script))
    provider = provider_of(script=str(path), fault=["server_error=0.5"])
    first = await ask(provider, request_of(model="m"))
    assert isinstance(first, Reply)
    assert (first.status, first.headers["retry-after"]) == (429, "9")
    answer = await told(provider, request_of(model="m"))
    assert json.loads(content(answer)) == {"action": "m says 2, {other}"}
    repair = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": "no"}]
    validator(compact(SCHEMA)).validate(json.loads(content(await told(provider, request_of(messages=repair)))))
    lines = provider.bill.shown()["lines"]
    assert [(line["input_tokens"], line["cached_tokens"]) for line in lines] == [(100, 100), (1, 0)]


async def test_a_schema_that_stands_in_the_prompt_only_is_followed_too(provider_of: Make, request_of: Request) -> None:
    from pyscrai.llm.ask import FORM

    system = {"role": "system", "content": f"You play.\n\n{FORM}\n\n{json.dumps(SCHEMA)}"}
    body = request_of(schema=None, messages=[system, {"role": "user", "content": PROMPT}])
    validator(compact(SCHEMA)).validate(json.loads(content(await told(provider_of(), body))))
