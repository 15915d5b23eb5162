"""The examples of docs/engine-protocol.md, run as they stand there against a real API."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "engine-protocol.md"
TOKEN = "the-token-of-this-test"


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def api_url(dsn: str, tmp_path: Path) -> Iterator[str]:
    environment = os.environ | {"PYSCRAI_DATABASE_URL": dsn, "PYSCRAI_TOKEN": TOKEN, "PYSCRAI_PORT": "0"}
    with (tmp_path / "api.log").open("wb") as log:
        command = [sys.executable, "-m", "pyscrai_api"]
        api = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    with api:
        assert api.stdout is not None
        try:
            yield json.loads(api.stdout.readline())["url"]
        finally:
            api.send_signal(signal.SIGTERM)
            api.wait(30)


def test_the_requests_work_in_order_as_they_stand(api_url: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not on this machine")
    script = tmp_path / "page.sh"
    script.write_text("set -eu\n" + "\n".join(examples("sh")) + '\nprintf "\\n%s" "$EVENT"\n')
    environment = os.environ | {"PYSCRAI_API_URL": api_url, "PYSCRAI_TOKEN": TOKEN}
    done = subprocess.run(["sh", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    event = done.stdout.splitlines()[-1]
    with httpx.Client(base_url=f"{api_url}/api/v1", headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        found = client.get(f"/events/{event}").raise_for_status().json()
        assert (found["status"], found["result"]["content"]) == ("completed", "buenos días")
        assert found["attempt"] == 1
        assert client.get("/engine-instances", params={"engine_type": "translator", "status": "active"}).json() == []


def test_the_whole_engine_serves_its_lane(api_url: str, tmp_path: Path) -> None:
    program = tmp_path / "shout.py"
    program.write_text(examples("python")[0])
    environment = os.environ | {"PYSCRAI_API_URL": api_url, "PYSCRAI_TOKEN": TOKEN}
    with httpx.Client(base_url=f"{api_url}/api/v1", headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        posted = client.post("/events", json={"event_type": "shout", "lane": "shout", "data": {"text": "hello"}})
        event = posted.raise_for_status().json()["id"]
        with subprocess.Popen([sys.executable, "-I", program], env=environment) as engine:
            try:
                while (found := client.get(f"/events/{event}").raise_for_status().json())["status"] != "completed":
                    with suppress(subprocess.TimeoutExpired):
                        pytest.fail(f"the engine ended with {engine.wait(0.05)}: {found}")
            finally:
                engine.send_signal(signal.SIGTERM)
            assert engine.wait(30) == 0
        assert found["result"] == {"content": "HELLO", "error": None}
        assert client.get("/engine-instances", params={"engine_type": "shout", "status": "active"}).json() == []
