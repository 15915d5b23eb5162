"""Database, API and engines together, with stand-ins for the services."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from pyscrai.embedded.errors import ChildFailed, EmbeddedError
from pyscrai.embedded.folder import Folder
from pyscrai.embedded.stack import Stack, running_api, stack

from .helpers import mentioning, soon

STAND_INS = {"PYTHONPATH": str(Path(__file__).parent / "stand_ins")}
ONE_ACTOR = {"actor": 1}


@pytest.fixture(autouse=True)
def _settings_of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's environment says about addresses and secrets is not for the children."""
    monkeypatch.setenv("PYSCRAI_DATABASE_URL", "postgresql://somebody:else@127.0.0.1:1/other")
    monkeypatch.setenv("PYSCRAI_TOKEN", "somebody-elses")


async def get(running: Stack, path: str) -> Any:
    headers = {"Authorization": f"Bearer {running.token}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        answer = await client.get(f"{running.api_url}{path}")
    assert answer.status_code == 200
    return answer.json()


async def test_secrets_go_only_to_those_that_need_them_and_never_into_a_command_line(data: Path) -> None:
    async with stack(data=data, engines={"actor": 2}, pool="mine", token="t0ken", extra_env=STAND_INS) as running:
        await running.wait_engines()
        engines = [engine["engine_metadata"] for engine in await get(running, "/api/v1/engine-instances")]
        api = await get(running, "/environment")
        password = Folder(data).password()
        assert password
        assert password in api["environment"]["PYSCRAI_DATABASE_URL"]
        assert api["environment"]["PYSCRAI_TOKEN"] == "t0ken"
        assert len(engines) == 2
        for engine in engines:
            assert password not in json.dumps(engine)
            assert "PYSCRAI_DATABASE_URL" not in engine["environment"]
            assert engine["environment"]["PYSCRAI_API_URL"] == running.api_url
            assert engine["environment"]["PYSCRAI_TOKEN"] == "t0ken"
            assert engine["environment"]["PYSCRAI_DATA"] == str(data)
            assert engine["argv"][-2:] == ["--pool", "mine"]
        assert mentioning(password) + mentioning("t0ken") == []
        assert "t0ken" not in repr(running)
        assert running_api(data) is None
    assert not any(psutil.pid_exists(engine["pid"]) for engine in engines)


async def test_other_commands_find_what_is_published_as_long_as_it_runs(data: Path) -> None:
    async with stack(data=data, engines={}, token="t0ken", extra_env=STAND_INS, publish=True) as running:
        assert running_api(data) == (running.api_url, "t0ken")
        assert Folder(data).api_file.stat().st_mode & 0o777 == 0o600
        api = running.processes.pid("api")
        assert api
    assert running_api(data) is None
    assert not Folder(data).api_file.exists()
    # Left behind by a command that was killed:
    Folder(data).api_file.write_text(json.dumps({"url": running.api_url, "pid": os.getpid(), "token": None}))
    assert running_api(data) is None


async def test_a_given_database_is_used_and_no_embedded_one_is_started(data: Path, server_dsn: str) -> None:
    async with stack(data=data, database_url=server_dsn, engines=ONE_ACTOR, extra_env=STAND_INS) as running:
        await running.wait_engines()
        assert (await get(running, "/environment"))["environment"]["PYSCRAI_DATABASE_URL"] == server_dsn
    assert not Folder(data).commands_lock.exists()


async def test_a_port_in_use_is_one_clear_error(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"Port {port} on 127.0.0.1 is in use.*--port"):
            async with stack(data=data, port=port, extra_env=STAND_INS):
                pass


async def test_an_api_that_cannot_start_is_shown_at_once_with_its_reason(data: Path, server_dsn: str) -> None:
    environment = {**STAND_INS, "STAND_IN": "--fail"}
    before = psutil.Process().children()
    with pytest.raises(ChildFailed, match="the stand-in was told so"):
        async with stack(data=data, database_url=server_dsn, engines=ONE_ACTOR, extra_env=environment):
            pass
    assert psutil.Process().children() == before


async def test_a_killed_api_is_started_again_under_its_address(data: Path, server_dsn: str) -> None:
    async with stack(data=data, database_url=server_dsn, engines={}, extra_env=STAND_INS, publish=True) as running:
        before = running.processes.pid("api")
        assert before
        os.kill(before, signal.SIGKILL)
        await soon(lambda: running.processes.pid("api") not in (None, before) and running_api(data) is not None)


async def test_a_killed_database_supervisor_is_started_again_under_the_same_address(data: Path) -> None:
    said: list[str] = []
    async with stack(data=data, engines={}, extra_env=STAND_INS, on_progress=said.append) as running:
        folder = Folder(data)
        before, api = folder.state(), running.processes.pid("api")
        assert before
        os.kill(before.supervisor, signal.SIGKILL)
        await soon(lambda: (folder.state() or before).server not in (before.server,))
        after = folder.state()
        assert after
        assert after.port == before.port
        assert running.processes.pid("api") == api
        await get(running, "/readyz")
    assert "The database's supervisor is gone; starting the database again" in said


async def test_logs_of_the_latest_commands_are_kept(data: Path, server_dsn: str) -> None:
    folder = Folder(data)
    for number in range(12):
        (folder.logs / f"stack-{2**22 + number}-old").mkdir(parents=True)
    async with stack(data=data, database_url=server_dsn, engines={}, extra_env=STAND_INS) as running:
        assert running.processes.log("api").parent.name.startswith(f"stack-{os.getpid()}-")
    assert len(list(folder.logs.glob("stack-*"))) == 10


async def test_the_real_services_start_together_register_and_leave(data: Path, dsn: str) -> None:
    async with stack(data=data, database_url=dsn, pool="mine", token="t0ken") as running:
        await running.wait_engines()
    logs = running.processes.logs
    ended = {name: (logs / f"{name}.log").read_text() for name in ("api", "actor-1", "narrator-1", "analyst-1")}
    assert not [name for name, log in ended.items() if "Traceback" in log]
