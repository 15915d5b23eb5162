"""The engine protocol with plain HTTP calls, as the seeds write them, against the service as a process.

No client of ours is used: raw paths (slash and no slash, both prefixes), any case of the engine type, every name of the
batch size, no lease numbers, and an engine-only user who posts `{"prompt": …}` without a run.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

TOKEN = "the-installation's-token"


@dataclass
class Service:
    """A served API. Calls as `token`; None sends no token."""

    url: str
    client: httpx.Client

    def __call__(
        self, method: str, path: str, body: Any = None, *, status: int = 200, token: str | None = TOKEN
    ) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.client.request(method, self.url + path, json=body, headers=headers)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def register(self, engine_type: str = "actor", **more: Any) -> tuple[str, str]:
        body = {
            "engine_type": engine_type,
            "capabilities": ["dialogue", "character_simulation"],
            "resource_limits": {"max_concurrent_events": 3, "memory_limit_mb": 512},
            **more,
        }
        made = self("POST", "/api/v1/engine-instances/", body, status=201)
        return made["id"], made["token"]

    def post(self, **event: Any) -> int:
        return int(self("POST", "/api/v1/events", event, status=201)["id"])


@pytest.fixture
def service(dsn: str) -> Iterator[Service]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYSCRAI_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "pyscrai_api", "--port", "0"],
        env=clean | {"PYSCRAI_DATABASE_URL": dsn, "PYSCRAI_TOKEN": TOKEN, "PYSCRAI_RETRY_BASE": "0.05"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process, httpx.Client(timeout=60, trust_env=False, follow_redirects=False) as client:
        assert process.stdout is not None
        try:
            yield Service(json.loads(process.stdout.readline())["url"], client)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def until(look: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "gave up waiting"
        time.sleep(0.02)
    return found


def test_an_engine_of_the_seed_from_registration_to_result(service: Service) -> None:
    made = service("POST", "/api/v1/engine-instances/", {"engine_type": "Actor"}, status=201)
    assert (made["engine_type"], made["status"], made["current_workload"]) == ("actor", "active", 0)
    assert {"id", "last_heartbeat", "engine_metadata", "token"} <= set(made)
    engine, token = made["id"], made["token"]

    event = service.post(engine_type="ACTOR", data={"prompt": "Who are you?"}, priority=7)
    polled = service("GET", f"/api/v1/events/queue/actor?engine_id={engine}&limit=5", token=token)
    assert [(item["id"], item["status"], item["priority"]) for item in polled] == [(event, "processing", 7)]
    assert polled[0]["data"] == {"prompt": "Who are you?"}
    assert (polled[0]["run_id"], polled[0]["attempt"], polled[0]["lease_no"]) == (None, 1, 1)
    assert 290 < polled[0]["lease_for"] <= 300, "clients that ask for nothing get five minutes"

    beat = {"status": "active", "current_workload": 1, "resource_utilization": {"cpu": 0.5}}
    alive = service("PUT", f"/api/v1/engine-instances/{engine}/heartbeat", beat, token=token)
    assert (alive["renewed"], alive["lost"], alive["current_workload"]) == ([event], [], 1)

    done = {"status": "completed", "result": {"content": "Somebody.", "error": None}}
    answer = service("PUT", f"/api/v1/events/{event}/status?engine_id={engine}", done, token=token)
    assert answer["status"] == "success"
    assert answer["message"]
    assert service("PUT", f"/api/v1/events/{event}/status?engine_id={engine}", done)["status"] == "success", "a repeat"
    shown = service("GET", f"/api/v1/events/{event}")
    assert (shown["status"], shown["result"]) == ("completed", {"content": "Somebody.", "error": None})


@pytest.mark.parametrize("prefix", ["/api/v1", "/api"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_both_prefixes_with_and_without_a_slash(service: Service, prefix: str, slash: str) -> None:
    made = service("POST", f"{prefix}/engine-instances{slash}", {"engine_type": "NARRATOR"}, status=201)
    engine = made["id"]
    assert service("GET", f"{prefix}/engine-instances/{engine}{slash}")["engine_type"] == "narrator"
    assert [item["id"] for item in service("GET", f"{prefix}/engine-instances{slash}")] == [engine]
    assert service("GET", f"{prefix}/engine-instances/health{slash}")["lanes"]
    event = service("POST", f"{prefix}/events{slash}", {"engine_type": "narrator", "data": {"prompt": "x"}}, status=201)
    polled = service("GET", f"{prefix}/events/queue/Narrator{slash}?engine_id={engine}")
    assert [item["id"] for item in polled] == [event["id"]]
    service("PUT", f"{prefix}/engine-instances/{engine}/heartbeat{slash}", {})
    body = {"status": "completed", "result": {"content": "y"}, "engine_id": engine}
    service("PUT", f"{prefix}/events/{event['id']}/status{slash}", body)
    service("DELETE", f"{prefix}/engine-instances/{engine}{slash}", status=204)


@pytest.mark.parametrize("name", ["limit", "max_events", "batch_size"])
def test_every_name_of_the_batch_size(service: Service, name: str) -> None:
    engine, token = service.register()
    for _ in range(6):
        service.post(engine_type="actor", data={"prompt": "x"})
    path = f"/api/v1/events/queue/actor?engine_id={engine}"
    assert len(service("GET", f"{path}&{name}=2", token=token)) == 2
    service("GET", f"{path}&{name}=0", status=400)
    assert len(service("GET", path, token=token)) == 4, "five where nothing is said, and four are left"


def test_the_registrations_token_stands_for_the_engine(service: Service) -> None:
    engine, token = service.register()
    event = service.post(engine_type="actor", data={"prompt": "x"})
    assert [item["id"] for item in service("GET", "/api/v1/events/queue/actor", token=token)] == [event]
    done = {"status": "completed", "result": {"content": "y"}}
    service("PUT", f"/api/v1/events/{event}/status", done, token=token)
    assert service("GET", f"/api/v1/events/{event}")["engine_id"] == engine


def test_who_may_not(service: Service) -> None:
    engine, token = service.register()
    other, others = service.register()
    event = service.post(engine_type="actor", data={"prompt": "x"})
    service("GET", f"/api/v1/events/queue/actor?engine_id={engine}", status=401, token=None)
    service("GET", f"/api/v1/events/queue/actor?engine_id={engine}", status=403, token=others)
    service("GET", f"/api/v1/events/queue/actor?engine_id={engine}", token=token)
    done = {"status": "completed", "result": {"content": "y"}}
    service("PUT", f"/api/v1/events/{event}/status?engine_id={engine}", done, status=403, token=others)
    stale = service("PUT", f"/api/v1/events/{event}/status?engine_id={other}", done, status=409, token=others)
    assert stale["code"] == "stale_lease"
    service("PUT", "/api/v1/events/99999/status", done, status=404, token=token)
    service("PUT", f"/api/v1/events/{event}/status", {"status": "excellent"}, status=400, token=token)
    service("POST", "/api/v1/events", {"engine_type": "actor"}, status=403, token=token)
    service("PUT", f"/api/v1/engine-instances/{other}/heartbeat", {}, status=403, token=token)
    assert service("GET", f"/api/v1/events/{event}")["status"] == "processing", "nothing of this changed anything"
    service("PUT", "/api/v1/engine-instances/0190a5a5-0000-7000-8000-000000000000/heartbeat", {}, status=404)


def test_failures_are_tried_again_and_end_among_the_dead(service: Service) -> None:
    engine, token = service.register("analyst")
    event = service.post(engine_type="analyst", data={"data_to_analyze": [1, 2, {"x": "y"}]})
    path = f"/api/v1/events/queue/analyst?engine_id={engine}&wait=20"
    for attempt in (1, 2, 3):
        (polled,) = service("GET", path, token=token)
        assert (polled["id"], polled["attempt"], polled["try"]) == (event, attempt, attempt)
        failure = {"status": "failed", "error": f"could not, {attempt}"}
        service("PUT", f"/api/v1/events/{event}/status?engine_id={engine}", failure, token=token)
    (dead,) = service("GET", "/api/v1/events/dead")["items"]
    assert (dead["id"], dead["status"], dead["error"], dead["failures"]) == (event, "failed", "could not, 3", 3)
    assert service("POST", "/api/v1/events/dead/redrive")["redriven"] == [event]
    assert [item["id"] for item in service("GET", path, token=token)] == [event]


def test_a_peek_takes_nothing_and_capabilities_narrow(service: Service) -> None:
    event = service.post(engine_type="actor", data={"prompt": "x"})
    for _ in range(2):
        assert [item["status"] for item in service("GET", "/api/v1/events/queue/actor")] == ["queued"]
    narrow, token = service.register(capabilities=["decide"])
    assert service("GET", f"/api/v1/events/queue/actor?engine_id={narrow}", token=token) == []
    decision = service.post(event_type="decide")
    assert [i["id"] for i in service("GET", f"/api/v1/events/queue/actor?engine_id={narrow}", token=token)] == [
        decision
    ]
    assert service("GET", f"/api/v1/events/{event}")["attempt"] == 0


def test_eight_pollers_over_http_never_meet(service: Service) -> None:
    """What was measured in the original: 170 to 190 of 200 events were delivered more than once."""
    events = [{"engine_type": "actor", "data": {"prompt": "x"}}] * 400
    posted = [item["id"] for item in service("POST", "/api/v1/events", events, status=201)]
    done = {"status": "completed", "result": {"content": "y"}}

    def engine(_: int) -> list[int]:
        mine, token = service.register()
        delivered = []
        while polled := service("GET", f"/api/v1/events/queue/actor?engine_id={mine}&limit=5", token=token):
            for item in polled:
                delivered.append(item["id"])
                service("PUT", f"/api/v1/events/{item['id']}/status?engine_id={mine}", done, token=token)
        return delivered

    with ThreadPoolExecutor(8) as pool:
        delivered = [event for mine in pool.map(engine, range(8)) for event in mine]
    assert sorted(delivered) == posted


def test_a_long_poll_whose_client_goes_takes_nothing_with_it(service: Service) -> None:
    """The connection is cut while its claim is parked: what comes then goes to somebody else, untouched."""
    engine, token = service.register()
    address = urlsplit(service.url)
    request = (
        f"GET /api/v1/events/queue/actor?engine_id={engine}&wait=60 HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    )
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
        connection.sendall(request.encode())
        until(lambda: parked(service) == 1)
    until(lambda: parked(service) == 0)
    event = service.post(engine_type="actor", data={"prompt": "x"})
    assert service("GET", f"/api/v1/events/{event}")["attempt"] == 0
    other, others = service.register()
    assert [i["id"] for i in service("GET", f"/api/v1/events/queue/actor?engine_id={other}", token=others)] == [event]


def test_a_long_poll_is_answered_when_something_comes(service: Service) -> None:
    engine, token = service.register()
    found: list[Any] = []
    path = f"/api/v1/events/queue/actor?engine_id={engine}&wait=50"
    waiting = threading.Thread(target=lambda: found.append(service("GET", path, token=token)))
    waiting.start()
    until(lambda: parked(service) == 1)
    event = service.post(engine_type="actor", data={"prompt": "x"})
    waiting.join(30)
    assert [item["id"] for item in found[0]] == [event]


def test_the_description_says_how(service: Service) -> None:
    paths = service("GET", "/api/v1/openapi.json", token=None)["paths"]
    for path, method in (
        ("/api/v1/engine-instances", "post"),
        ("/api/v1/engine-instances/{engine_id}/heartbeat", "put"),
        ("/api/v1/events/queue/{engine_type}", "get"),
        ("/api/v1/events/claim", "post"),
        ("/api/v1/events/{event_id}/status", "put"),
        ("/api/v1/events/status", "put"),
        ("/api/v1/events/reserve", "post"),
    ):
        described = paths[path][method]
        assert described["description"]
        answer = next(described["responses"][code] for code in ("200", "201") if code in described["responses"])
        assert answer["content"]["application/json"]["schema"]


def parked(service: Service) -> int:
    """How many claims wait, as the service's metrics say."""
    text = service.client.get(f"{service.url}/metrics").text
    line = next(line for line in text.splitlines() if line.startswith("pyscrai_claims_parked "))
    return int(float(line.split()[1]))
