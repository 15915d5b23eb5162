"""The service as a process: its address, its signals, and starts that fail with one sentence."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(dsn: str) -> Iterator[Start]:
    """Start the service with further options; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(*options: str, **environment: str) -> subprocess.Popen[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYSCRAI_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "pyscrai_api", *options],
            env=clean | {"PYSCRAI_DATABASE_URL": dsn} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    url: str = json.loads(line)["url"]
    return url


def failed(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code, and the one sentence that was said."""
    out, said = process.communicate(timeout=60)
    assert out == ""
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1, said
    return process.returncode, said


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_free_port_one_line_and_a_clean_end(start: Start, sign: signal.Signals) -> None:
    process = start("--port", "0")
    url = url_of(process)
    assert httpx.get(f"{url}/readyz").status_code == 200
    process.send_signal(sign)
    rest, said = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")
    assert [json.loads(line)["event"] for line in said.splitlines()] == ["api_ready", "api_stopping"]


def test_requests_under_way_are_answered_before_the_end(start: Start) -> None:
    process = start("--port", "0", "--log-level", "debug")
    url = url_of(process)
    host, port = url.removeprefix("http://").split(":")
    body = b'{"name": "late"}'
    head = (
        f"POST /api/v1/templates/agents HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + body[:5])
        httpx.get(f"{url}/healthz")  # by now the first request has been read as far as it came
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        while "api_stopping" not in process.stderr.readline():
            pass
        connection.sendall(body[5:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 201")
    assert process.wait(timeout=60) == 0


def test_a_port_that_is_in_use(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = failed(start("--port", str(port)))
    assert code == 1
    assert f"port {port} on 127.0.0.1 is in use" in said


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        ([], {"PYSCRAI_DATABASE_URL": ""}, "no database is named"),
        (["--database-url", "postgresql://127.0.0.1:1/x"], {}, "is PostgreSQL running there?"),
        (["--database-url", "postgresql://nobody_like_that:guess@{server}/x"], {}, "refuses the user or the password"),
        (["--host", "0.0.0.0"], {}, "PYSCRAI_TOKEN"),
        (["--host", "no.such.host.invalid", "--token", "t"], {}, "cannot listen on no.such.host.invalid"),
        ([], {"PYSCRAI_ALLOWED_HOSTS": "*"}, "needs a token"),
        ([], {"PYSCRAI_SEED": "/nowhere"}, "no seed is found"),
        ([], {"PYSCRAI_PRICES": "/nowhere/prices.yaml"}, "/nowhere/prices.yaml"),
    ],
)
def test_what_prevents_the_start_is_one_sentence(
    start: Start, dsn: str, options: list[str], environment: dict[str, str], expected: str
) -> None:
    server = dsn.rpartition("@")[2].partition("/")[0]
    options = [option.replace("{server}", server) for option in options]
    code, said = failed(start("--port", "0", *options, **environment))
    assert code == 1
    assert said.startswith("pyscrai_api: ")
    assert expected in said
    assert "guess" not in said


def test_a_setting_that_makes_no_sense(start: Start) -> None:
    code, said = failed(start("--port", "many"))
    assert (code, "--port (PYSCRAI_PORT): 'many'" in said) == (2, True)


def test_with_a_token_it_listens_to_others(start: Start) -> None:
    process = start("--port", "0", "--host", "0.0.0.0", PYSCRAI_TOKEN="open-sesame")
    url = url_of(process)
    assert url.startswith("http://127.0.0.1:")
    assert httpx.get(f"{url}/api/v1/scenarios").status_code == 401
    headers = {"authorization": "Bearer open-sesame"}
    assert httpx.get(f"{url}/api/v1/scenarios", headers=headers).status_code == 200


def test_several_start_at_once_on_a_new_database(start: Start) -> None:
    processes = [start("--port", "0") for _ in range(3)]
    for process in processes:
        assert httpx.get(f"{url_of(process)}/readyz").status_code == 200
