"""A service and engines as real processes over a test's database, each of which a test may kill and start again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

T = TypeVar("T")
ENGINES = ("actor", "narrator", "analyst")


def until(what: str, look: Callable[[], T], timeout: float = 60.0) -> T:
    """Wait for a condition: the first truthy value of `look`, asked again and again."""
    end = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"gave up waiting for {what} after {timeout:.0f} s")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Fleet:
    """`processes` by name: `api`, `actor-1` …; `settings` are environment variables of all of them."""

    dsn: str
    folder: Path
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/v1", timeout=30, trust_env=False)

    def start(self, name: str) -> None:
        service = name.split("-", maxsplit=1)[0]
        env = {**os.environ, **self.settings, "PYSCRAI_PORT": str(self.port)}
        if service == "api":
            env["PYSCRAI_DATABASE_URL"] = self.dsn
        else:
            env["PYSCRAI_API_URL"] = f"http://127.0.0.1:{self.port}"
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"pyscrai_{service}"], env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def kill(self, name: str) -> None:
        """kill -9, and reap."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def ready(self) -> bool:
        try:
            return self.http.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def put(self, path: str, body: Any) -> Any:
        answer = self.http.put(path, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def play(self, content: dict[str, Any], **choices: Any) -> dict[str, Any]:
        """Post a scenario and start a run of it."""
        if self.http.post("/templates/scenarios", json=content).status_code == 409:
            self.put(f"/templates/scenarios/{content['name']}", content)
        run: dict[str, Any] = self.post("/runs", {"scenario": content["name"], "choices": choices})
        return run

    def ended(self, run: dict[str, Any], timeout: float = 120.0) -> dict[str, Any]:
        """The run once it stands still for good: completed, or anything that needs a person."""
        settled = ("completed", "failed", "cancelled", "blocked", "paused")

        def look() -> dict[str, Any] | None:
            try:
                found: dict[str, Any] = self.get(f"/runs/{run['id']}")
            except httpx.TransportError:
                return None
            except httpx.HTTPStatusError as error:
                if error.response.status_code == 503:
                    return None
                raise
            return found if found["status"] in settled else None

        return until(f"the end of run {run['label']}", look, timeout)

    def pids(self) -> dict[str, str]:
        """Engine id → process name, for the engines that are alive here."""
        names = {process.pid: name for name, process in self.processes.items()}
        engines = self.get("/engine-instances", limit=200)
        listed = engines["items"] if isinstance(engines, dict) else engines
        return {
            e["id"]: names[e["engine_metadata"].get("pid")] for e in listed if e["engine_metadata"].get("pid") in names
        }


@contextmanager
def fleet(dsn: str, folder: Path, engines: int = 1, **settings: str) -> Iterator[Fleet]:
    """API and so many engines of each kind, ready; everything is killed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = {"PYSCRAI_DATA": str(folder / "data"), "PYSCRAI_LOG_LEVEL": "info", "PYSCRAI_RUNS_AT_ONCE": "none"}
    made = Fleet(dsn, folder, ours | settings)
    try:
        made.start("api")
        for kind in ENGINES:
            for number in range(1, engines + 1):
                made.start(f"{kind}-{number}")
        until("the API", made.ready)
        until("the engines", lambda: len(made.pids()) == len(ENGINES) * engines)
        yield made
    finally:
        made.http.close()
        for process in made.processes.values():
            process.send_signal(signal.SIGKILL)
        for process in made.processes.values():
            process.wait()


def script(path: Path, **default: Any) -> str:
    """A scripted model that answers every built-in event type from the event's place alone; returns its name."""
    answers = [
        (
            "decide",
            {"reasoning": "{seat} thinks in turn {turn}", "goals": ["g"], "action": "{seat} acts in turn {turn}"},
        ),
        ("agent_message", {"text": "{seat} says {turn}", "to": None, "closing": False, "thought": "hm"}),
        ("world_update", {"narrative": "after turn {turn}", "facts": {}, "changes": ["c"]}),
        ("check", {"consistent": True, "issues": [], "severity": "none"}),
        ("measure", {"values": {"trust": 0.5}}),
    ]
    entries = [{"when": {"event_type": kind}, "answer": answer, **default} for kind, answer in answers]
    path.write_text(yaml.safe_dump({"answers": entries}))
    return f"scripted:{path}"
