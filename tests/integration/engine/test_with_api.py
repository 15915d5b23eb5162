"""Engines and the API as processes over a real database: events without a run, signals, kills, outages."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from tests.integration.engine.served import Process, engine, slow_model

from pyscrai.client.errors import ClientError
from pyscrai.client.http import Http


class Service:
    """The API process on a port of its own, over one database; it can be killed and started again."""

    def __init__(self, dsn: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.dsn = dsn
        self.folder = folder
        self.http = Http(self.url)
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        env = {**os.environ, "PYSCRAI_DATABASE_URL": self.dsn, "PYSCRAI_PORT": str(self.port)}
        prices = self.folder / "prices.yaml"
        prices.write_text("'http://127.0.0.1:*': {input: 1, output: 2}\n")
        env |= {"PYSCRAI_DATA": str(self.folder), "PYSCRAI_PRICES": str(prices)}
        with (self.folder / "api.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "pyscrai_api", env=env, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL
            )

    async def ready(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, (self.folder / "api.log").read_text()
        await self.http.fetch("GET", "/readyz")
        return True

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def post(self, event_type: str = "prompt", **event: Any) -> int:
        posted = await self.http.request("POST", "/events", json={"event_type": event_type, **event})
        return int(posted["id"])

    async def event(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = await self.http.request("GET", f"/events/{number}")
        return found


async def until(what: str, look: Callable[[], Awaitable[bool]], seconds: float = 120) -> None:
    """Ask again and again until the answer is yes; an API that is away is a no."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await look():
                    return
            except ClientError:
                pass  # it is being restarted
            await asyncio.sleep(0.03)


@pytest.fixture
async def service(dsn: str, tmp_path: Path) -> AsyncIterator[Service]:
    made = Service(dsn, tmp_path)
    try:
        await made.start()
        await until("the API", made.ready)
        yield made
    finally:
        await made.kill()
        await made.http.close()


async def has(service: Service, number: int, **wanted: Any) -> bool:
    found = await service.event(number)
    return all(found[name] == value for name, value in wanted.items())


def scripted(folder: Path, latency: float) -> str:
    path = folder / f"script-{latency}.yaml"
    path.write_text(f"default: {{latency: {latency}, answer: 'as the script says'}}\n")
    return f"scripted:{path}"


async def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row.values()) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def called(process: Process) -> None:
    """Until a model has been asked."""
    await process.line("model_called")


async def test_events_without_a_run_are_answered_on_their_lanes(service: Service) -> None:
    async with (
        engine("actor", service.url) as one,
        engine("narrator", service.url) as two,
        engine("analyst", service.url) as three,
    ):
        for process in (one, two, three):
            await process.line("engine_registered")
        payloads = {"actor": {"prompt": "Hi"}, "narrator": {"prompt": "Hi"}, "analyst": {"data_to_analyze": [1, 2]}}
        posted = [await service.post(engine_type=lane, data=data) for lane, data in payloads.items()]
        for number in posted:
            await until("an answer", lambda number=number: has(service, number, status="completed"))
            result = (await service.event(number))["result"]
            assert result["content"]
            assert result["error"] is None
        wrong = await service.post(engine_type="analyst", data={"prompt": "not what an analyst reads"})
        await until("a dead letter", lambda: has(service, wrong, status="failed"))
        assert "data_to_analyze" in (await service.event(wrong))["error"]


async def test_at_most_three_requests_for_a_model_call(service: Service, tmp_path: Path) -> None:
    async with engine("actor", service.url) as process, httpx.AsyncClient(trust_env=False) as http:
        port = (await process.line("health_served")).partition('"port": ')[2].partition(",")[0]
        await process.line("engine_registered")
        data = [{"event_type": "prompt", "engine_type": "actor", "data": {"prompt": f"say {n}"}} for n in range(40)]
        posted = await service.http.request("POST", "/events", json=data)

        async def all_done() -> bool:
            return all([await has(service, event["id"], status="completed") for event in posted])

        await until("forty answers", all_done)
        text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        kinds = ("claim_nonempty", "reserve", "finish")
        wanted = [f'pyscrai_engine_http_requests_total{{kind="{kind}"}}' for kind in kinds]
        counts = [float(line.split()[-1]) for line in text.splitlines() if line.split()[0] in wanted]
        assert len(counts) == 3
        assert sum(counts) <= 60  # of at most 120: events that are there together go together


async def test_a_signalled_engine_hands_on_what_it_has_not_begun_and_ends_what_it_has(service: Service) -> None:
    with slow_model() as model:
        async with engine("actor", service.url, "--concurrency", "1") as first:
            begun = await service.post(engine_type="actor", data={"prompt": "x"}, model=model.id)
            await called(first)
            later = await service.post(engine_type="actor", data={"prompt": "y"})
            first.process.send_signal(signal.SIGTERM)
            await first.line('"draining"')
            model.answer.set()
            assert await first.ended() == 0
    assert await has(service, begun, status="completed", attempt=1, losses=0, handbacks=0)
    assert await has(service, later, status="queued")
    async with engine("actor", service.url):
        await until("the other engine's answer", lambda: has(service, later, status="completed"))
    assert await rows(service.dsn, "SELECT state, count(*) FROM calls GROUP BY state") == [(2, 2)]


async def test_a_call_cut_off_by_the_grace_is_charged_and_another_engine_goes_on(
    service: Service, tmp_path: Path
) -> None:
    slow = await service.post(engine_type="actor", data={"prompt": "x"}, model=scripted(tmp_path, 600))
    async with engine("actor", service.url, "--grace-seconds", "0") as first:
        await called(first)
        first.process.terminate()
        assert await first.ended() == 0
    found = await service.event(slow)
    assert (found["status"], found["handbacks"], found["losses"], found["failures"]) == ("queued", 1, 0, 0)
    assert await rows(service.dsn, "SELECT state FROM calls") == [(3,)]


async def test_a_cancelled_event_is_dropped_and_its_call_settled(service: Service) -> None:
    beats = ("--heartbeat-seconds", "0.2")
    with slow_model() as model:
        async with engine("actor", service.url, *beats) as process:
            number = await service.post(engine_type="actor", data={"prompt": "x"}, model=model.id)
            await called(process)
            await service.http.request("POST", f"/events/{number}/cancel")
            await process.line("lease_lost", "cancelled")
            model.answer.set()
            await process.line("event_finished", "dropped")
    assert (await service.event(number))["status"] == "cancelled"
    assert await rows(service.dsn, "SELECT state, usage IS NOT NULL FROM calls") == [(2, True)]


async def test_a_killed_engine_costs_one_loss_and_nothing_else(service: Service) -> None:
    lease = ("--lease-seconds", "3", "--heartbeat-seconds", "0.5")
    with slow_model() as model:
        number = await service.post(engine_type="actor", data={"prompt": "x"}, model=model.id)
        async with engine("actor", service.url, *lease) as first:
            await called(first)
            first.process.kill()
            await first.ended()
        model.answer.set()
        async with engine("actor", service.url, *lease):
            await until("the other engine's answer", lambda: has(service, number, status="completed"))
    found = await service.event(number)
    assert (found["attempt"], found["losses"], found["failures"]) == (2, 1, 0)


async def test_a_result_outlives_an_outage_of_the_api(service: Service) -> None:
    lease = ("--lease-seconds", "5", "--heartbeat-seconds", "0.5")
    with slow_model() as model:
        async with engine("actor", service.url, *lease) as process:
            number = await service.post(engine_type="actor", data={"prompt": "x"}, model=model.id)
            await called(process)
            await service.kill()
            model.answer.set()
            await process.line("finish_unanswered")
            await service.start()
            await until("the result", lambda: has(service, number, status="completed"))
            assert await has(service, number, attempt=1, losses=0)
            process.process.terminate()
            assert await process.ended() == 0
    assert await rows(service.dsn, "SELECT state FROM calls") == [(2,)]


async def test_an_engine_starts_before_its_api(service: Service) -> None:
    await service.kill()
    async with engine("actor", service.url) as process:
        await process.line("api_awaited")
        await service.start()
        await process.line("engine_registered")
        number = await service.post(engine_type="actor", data={"prompt": "x"})
        await until("an answer", lambda: has(service, number, status="completed"))
