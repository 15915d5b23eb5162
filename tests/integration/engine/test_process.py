"""Engines as processes of their own, with real signals and real models without a network."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.provider import DECISION
from tests.integration.engine.served import engine, served, slow_model
from tests.unit.engine.harness import TestApi, event


@pytest.fixture
async def api() -> TestApi:
    return TestApi()


@pytest.fixture
async def url(api: TestApi) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


def scripted(folder: Path, latency: float) -> dict[str, str]:
    path = folder / "script.yaml"
    path.write_text(f"default: {{latency: {latency}, answer: 'as the script says'}}\n")
    return {"id": f"scripted:{path}"}


def reported(api: TestApi) -> list[dict[str, Any]]:
    return [finish for body in api.bodies("report") for finish in body["events"]]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("actor", {"prompt": "Say something."}),
        ("narrator", {"prompt": "Say something."}),
        ("analyst", {"data_to_analyze": {"trust": [1, 2, 3]}}),
    ],
)
async def test_each_engine_answers_a_plain_prompt(api: TestApi, url: str, kind: str, data: dict[str, Any]) -> None:
    async with engine(kind, url) as process:
        await api.put(event(1, data=data))
        await api.until(lambda: bool(reported(api)))
        process.process.terminate()
        assert await process.ended() == 0
    (finish,) = reported(api)
    assert finish["status"] == "completed", "".join(process.log)
    assert finish["result"]["content"]
    assert finish["result"]["error"] is None
    assert api.bodies("register")[0]["engine_type"] == kind


async def test_the_first_signal_lets_the_call_end(api: TestApi, url: str, tmp_path: Path) -> None:
    async with engine("actor", url) as process:
        await api.put(event(1, model=scripted(tmp_path, 1.0)))
        await process.line("model_called")
        process.process.terminate()
        await process.line('"draining"')
        assert await process.ended() == 0
    assert [finish["status"] for finish in reported(api)] == ["completed"]
    assert reported(api)[0]["result"]["content"] == "as the script says"
    assert [what for what, _ in api.asked if what != "beat"][-1] == "deregister"
    assert api.registrations == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_second_signal_stops_at_once(api: TestApi, url: str, tmp_path: Path, number: signal.Signals) -> None:
    async with engine("actor", url) as process:
        await api.put(event(1, model=scripted(tmp_path, 600)))
        await process.line("model_called")
        process.process.send_signal(number)
        await process.line('"draining"')
        process.process.send_signal(number)
        assert await process.ended() == 128 + number
    assert reported(api) == []
    assert api.bodies("deregister") == []


async def test_after_the_grace_a_call_is_handed_back(api: TestApi, url: str, tmp_path: Path) -> None:
    async with engine("actor", url, "--grace-seconds", "0.1") as process:
        await api.put(event(1, model=scripted(tmp_path, 600)))
        await process.line("model_called")
        process.process.terminate()
        assert await process.ended() == 0
    assert [finish["status"] for finish in reported(api)] == ["handed_back"]
    (call,) = [call for body in api.bodies("report") for call in body["calls"]]
    assert call["sent"] is True
    assert "usage" not in call


async def test_a_call_that_is_cut_off_by_a_lost_lease_is_settled(api: TestApi, url: str) -> None:
    with slow_model() as model:
        async with engine("actor", url) as process:
            await api.put(event(1, model={"id": model.id}))
            await process.line("model_called")
            api.heartbeat = {"lost": [1]}
            await process.line("lease_lost")
            model.answer.set()
            await api.until(lambda: bool(api.bodies("report")))
            process.process.terminate()
            assert await process.ended() == 0
    (report,) = api.bodies("report")
    assert report["events"] == []
    assert report["calls"][0]["answer"] == json.dumps(DECISION)


async def test_the_probes_say_how_it_is(api: TestApi, url: str) -> None:
    async with engine("actor", url) as process, httpx.AsyncClient(trust_env=False) as http:
        port = json.loads(await process.line("health_served"))["port"]
        assert (await http.get(f"http://127.0.0.1:{port}/healthz")).text == "ok\n"
        await process.line("engine_registered")
        assert (await http.get(f"http://127.0.0.1:{port}/readyz")).text == "ready\n"
        await api.put(event(1))
        await process.line("event_finished")
        metrics = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        assert 'pyscrai_engine_events_total{event_type="prompt",lane="actor",outcome="done"} 1.0' in metrics
        assert 'pyscrai_engine_http_requests_total{kind="claim_nonempty"} 1.0' in metrics
        assert (await http.get(f"http://127.0.0.1:{port}/else")).status_code == 404
        assert (await http.post(f"http://127.0.0.1:{port}/healthz")).status_code == 405


async def test_it_waits_for_an_api_that_is_not_there_and_leaves_when_told() -> None:
    async with engine("actor", "http://127.0.0.1:9") as process, httpx.AsyncClient(trust_env=False) as http:
        port = json.loads(await process.line("health_served"))["port"]
        await process.line("api_awaited")
        assert (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 503
        process.process.terminate()
        assert await process.ended() == 0


async def test_a_port_in_use_is_one_clear_message(api: TestApi, url: str) -> None:
    async with engine("actor", url, "--port", url.rpartition(":")[2]) as process:
        assert await process.ended() == 1
    assert "".join(process.log).startswith("Error: cannot listen on 127.0.0.1:")
    assert api.asked == []


async def test_a_lease_that_heartbeats_cannot_keep_is_a_usage_error() -> None:
    async with engine("actor", "http://127.0.0.1:9", "--lease-seconds", "2", "--heartbeat-seconds", "1.5") as process:
        assert await process.ended() == 2
    assert "needs a heartbeat of 1 s at most" in "".join(process.log)
