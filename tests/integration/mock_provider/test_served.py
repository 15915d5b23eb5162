"""The mock provider on a port: raw HTTP, OpenAI's client through `pyscrai.llm.ask`, and the command."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from pyscrai.contract.events import CallRecord, ModelChoice
from pyscrai.llm import (
    BadKey,
    ModelError,
    Overloaded,
    Question,
    RateLimited,
    Refused,
    TimedOut,
    TooLong,
    Unparsable,
    Unreachable,
    ask,
    close,
)
from pyscrai_mock_provider import MockProvider, mock_provider, mock_provider_process
from pyscrai_mock_provider.faults import FAULTS
from pyscrai_mock_provider.serve import CannotListen

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"action": {"type": "string", "maxLength": 400}},
    "required": ["action"],
    "additionalProperties": False,
}
KEY = "sk-planted-0123456789"


class Ledger:
    """A meter that grants everything and writes it down."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []

    async def reserve(self, **_: Any) -> None:
        """Everything is granted."""

    def record(self, call: CallRecord) -> None:
        self.calls.append(call)


def question(provider: MockProvider, number: int = 0, max_tokens: int = 200) -> Question:
    return Question(
        model=ModelChoice(id=provider.model, max_tokens=max_tokens, seed=number),
        system="You are the mayor.",
        user="# Town\n\nDecide about the old mill.",
        schema=SCHEMA,
        event_type="decide",
        seat="mayor",
        turn=1,
        phase="decision",
        try_no=1,
        event_id=5,
        lease_no=2,
    )


def body(**told: Any) -> dict[str, Any]:
    return {"model": "mock", "messages": [{"role": "user", "content": "Decide about the old mill."}]} | told


async def billed(provider: MockProvider, number: int) -> list[dict[str, Any]]:
    """The lines of the bill, once there are so many."""
    async with asyncio.timeout(30):
        while len(lines := provider.bill()["lines"]) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return list(lines)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as made:
        yield made
    await close()


async def test_it_is_reached_over_http(client: httpx.AsyncClient) -> None:
    with mock_provider(price="1,2") as provider:
        assert (await client.get(f"{provider.url}/healthz")).json() == {"status": "ok"}
        models = (await client.get(f"{provider.base_url}/models")).json()
        assert [model["id"] for model in models["data"]] == ["mock"]
        answer = await client.post(f"{provider.base_url}/chat/completions", json=body())
        used = answer.json()["usage"]
        bill = (await client.get(f"{provider.url}/bill")).json()
        assert Decimal(bill["totals"]["cost"]) * 1_000_000 == used["prompt_tokens"] + 2 * used["completion_tokens"]
        assert bill == provider.bill()
        assert (await client.get(f"{provider.url}/bill?after=1")).json()["lines"] == []
        assert (await client.get(f"{provider.url}/bill?after=x")).status_code == 400
        (request,) = provider.requests()
        assert (request["number"], request["ending"]) == (1, "answered")
        assert request["request_sha256"] == bill["lines"][0]["request_sha256"]
        assert provider.requests(after=1) == []
        for path in ("/v1/embeddings", "/"):
            assert (await client.post(provider.url + path, json={})).json()["error"]["code"] == "unknown_url"
        provider.reset()
        assert provider.bill()["totals"] == {**bill["totals"], **dict.fromkeys(bill["totals"], 0), "cost": "0"}


async def test_what_openais_client_was_told_is_on_the_bill(client: httpx.AsyncClient) -> None:
    ledger = Ledger()
    with mock_provider(cached_share="0.5", reasoning="lognormal:20,0.5", length_median=40) as provider:
        answers = await asyncio.gather(*(ask(question(provider, n), ledger, timeout=30) for n in range(40)))
        lines = provider.bill()["lines"]
    assert all(answer["action"] for answer in answers)
    used = [call.usage for call in ledger.calls if call.usage is not None]
    recorded = [
        (one.input_tokens, one.output_tokens, one.cached_tokens, one.cache_write_tokens, one.reasoning_tokens)
        for one in used
    ]
    names = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    assert sorted(recorded) == sorted(tuple(line[name] for name in names) for line in lines)
    assert len(recorded) >= 40
    assert all(line["delivered"] for line in lines)


ERRORS: dict[str, type[ModelError] | None] = {
    "rate_limit": RateLimited,
    "overloaded": Overloaded,
    "server_error": Overloaded,
    "late_error": Overloaded,
    "dropped_before": Unreachable,
    "dropped": Unreachable,
    "timeout": TimedOut,
    "broken_json": Unparsable,
    "broken_body": ModelError,
    "empty": Unparsable,
    "refused": Refused,
    "overlong": Unparsable,
    "no_usage": None,
    "bad_key": BadKey,
    "too_long": TooLong,
    "overcharged": None,
}


def test_every_fault_has_its_error() -> None:
    assert ERRORS.keys() == FAULTS.keys()


@pytest.mark.parametrize("fault", ERRORS)
async def test_each_fault_is_what_openais_client_takes_it_for(client: httpx.AsyncClient, fault: str) -> None:
    ledger = Ledger()
    expected = ERRORS[fault]
    with mock_provider(fault=[fault], retry_after=7) as provider:
        # The one that never answers is not waited for longer than it takes to be asked.
        patience = 1.0 if fault == "timeout" else 30.0
        if expected is None:
            assert await ask(question(provider), ledger, timeout=patience)
        else:
            with pytest.raises(expected) as caught:
                await ask(question(provider), ledger, timeout=patience)
            assert caught.value.retry_after == (7 if fault == "rate_limit" else caught.value.retry_after)
        lines = provider.bill()["lines"]
    assert len(lines) == (len(ledger.calls) if FAULTS[fault].billed else 0)
    # Whoever was told nothing of a cost has to assume one, where there may be one.
    if FAULTS[fault].billed:
        used = [call.usage.output_tokens if call.usage else None for call in ledger.calls]
        assert all(told in (None, line["output_tokens"]) for told, line in zip(used, lines, strict=True))
    if fault in ("timeout", "dropped", "late_error", "no_usage"):
        assert [call.usage for call in ledger.calls] == [None]


async def test_a_connection_breaks_in_the_middle_and_before(client: httpx.AsyncClient) -> None:
    with mock_provider(fault=["dropped"]) as provider:
        async with client.stream("POST", f"{provider.base_url}/chat/completions", json=body()) as answer:
            assert answer.status_code == 200
            length = int(answer.headers["content-length"])
            pieces = answer.aiter_raw()
            got = await anext(pieces)
            with pytest.raises(httpx.RemoteProtocolError):
                await anext(pieces)
        assert 0 < len(got) < length
        (line,) = provider.bill()["lines"]
        assert (line["delivered"], line["fault"]) == (False, "dropped")
    with mock_provider(fault=["dropped_before"]) as provider:
        with pytest.raises(httpx.TransportError):
            await client.post(f"{provider.base_url}/chat/completions", json=body())
        assert provider.bill()["lines"] == []


async def test_who_hangs_up_while_an_answer_is_made_pays_for_it(client: httpx.AsyncClient) -> None:
    with mock_provider(latency=0.3) as provider:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"{provider.base_url}/chat/completions", json=body(), timeout=0.1)
        lines = await billed(provider, 1)
    assert (lines[0]["delivered"], lines[0]["status"], lines[0]["fault"]) == (False, None, None)


async def test_held_connections_do_not_keep_a_provider_from_ending(client: httpx.AsyncClient) -> None:
    with mock_provider(fault=["timeout"]) as provider:
        held = [
            asyncio.ensure_future(client.post(f"{provider.base_url}/chat/completions", json=body())) for _ in range(3)
        ]
        await billed(provider, 3)
    ended = await asyncio.gather(*held, return_exceptions=True)
    assert all(isinstance(end, httpx.TransportError) for end in ended)


async def test_many_at_once_are_each_billed_once(client: httpx.AsyncClient) -> None:
    with mock_provider_process("--faults", "passing", "--seed", "3", "--fault", "timeout=0") as provider:
        seen: list[int] = []

        async def one(number: int) -> None:
            try:
                answer = await client.post(f"{provider.base_url}/chat/completions", json=body(seed=number))
                seen.append(answer.status_code)
            except httpx.TransportError:
                seen.append(0)

        for start in range(0, 400, 50):
            await asyncio.gather(*(one(number) for number in range(start, start + 50)))
        bill = provider.bill()
    billed = {fault for fault, what in FAULTS.items() if what.billed} | {"answered"}
    assert bill["totals"]["requests"] == sum(bill["endings"].values()) == len(seen) == 400
    assert len(bill["lines"]) == sum(count for end, count in bill["endings"].items() if end in billed)
    assert seen.count(0) == bill["endings"]["dropped"] + bill["endings"]["dropped_before"]
    assert [line["number"] for line in bill["lines"]] == list(range(1, len(bill["lines"]) + 1))
    assert len({line["request"] for line in bill["lines"]}) == len(bill["lines"])


def test_a_port_that_is_taken_is_said() -> None:
    with mock_provider() as provider:
        port = int(provider.url.rpartition(":")[2])
        with pytest.raises(CannotListen, match="in use"), mock_provider(port=port):
            pass
        done = run("-m", "pyscrai_mock_provider", "--port", str(port))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"port {port}" in done.stderr


def test_a_mistake_is_one_of_usage() -> None:
    for words in (("--fault", "flood=1"), ("--latency", "fast"), ("--price", "1"), ("--key", KEY, "--port", "x")):
        done = run("-m", "pyscrai.cli", "mock-provider", *words)
        assert done.returncode == 2, done.stderr
        assert "Error" in done.stderr
        assert "Traceback" not in done.stderr


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_is_and_ends_when_asked(number: signal.Signals) -> None:
    words = [sys.executable, "-m", "pyscrai.cli", "mock-provider", "--port", "0", "--key", KEY, "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["model"] == f"{ready['url']}/v1#mock"
        assert ready["pid"] == process.pid
        url = f"{ready['base_url']}/chat/completions"
        assert httpx.post(url, json=body(), trust_env=False).status_code == 401
        shown = {"authorization": f"Bearer {KEY}"}
        assert httpx.post(url, json=body(), headers=shown, trust_env=False).status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_key_is_in_no_list_of_processes() -> None:
    words = [sys.executable, "-m", "pyscrai.cli", "mock-provider", "--port", "0", "--key", KEY, "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            shown = file.read()
        process.terminate()
    assert b"pyscrai_mock_provider" in shown
    assert KEY.encode() not in shown


def test_people_are_told_how_to_play() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pyscrai.cli", "mock-provider", "--port=0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(5)]
        process.terminate()
    assert any("pyscrai run negotiation --model 'http://127.0.0.1:" in line for line in said)
    assert "0.15,0.6'" in "".join(said)
