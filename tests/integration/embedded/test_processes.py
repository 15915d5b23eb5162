"""Child processes: logs, restarts, giving up, and the several ways of ending."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from pyscrai.embedded.errors import ChildFailed, EmbeddedError
from pyscrai.embedded.processes import ChildSpec, Processes, free_port, wait_ready

from .helpers import soon, wait_for

SLEEP = "import signal; print('up', flush=True); signal.pause()"
# Signals are waited for, not handled: one that comes between a check for handlers and pause() would go unheard.
STUBBORN = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("up", flush=True)
while signal.sigwait([signal.SIGTERM]):
    print("draining", flush=True)
"""
DRAINING = """
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("up", flush=True)
signal.sigwait([signal.SIGTERM])
print("ended", time.monotonic_ns(), flush=True)
"""
PARENT = """
import asyncio, os, sys
from pathlib import Path
from pyscrai.embedded.errors import Interrupted
from pyscrai.embedded.processes import ChildSpec, Processes

async def main():
    specs = [ChildSpec(name=name, argv=[sys.executable, "-c", sys.argv[2]], env=dict(os.environ)) for name in "ab"]
    async with Processes(specs, logs=Path(sys.argv[1]), grace=600) as processes:
        while not all(processes.pid(name) and "up" in processes.log(name).read_text() for name in "ab"):
            await asyncio.sleep(0.01)
        print(*(processes.pid(name) for name in "ab"), flush=True)
        await processes.wait()

try:
    asyncio.run(main())
except Interrupted as interrupted:
    sys.exit(128 + interrupted.signum)
"""


def spec(name: str, code: str, *, restart: bool = True, stop_last: bool = False, **env: str) -> ChildSpec:
    whole = {"PATH": os.environ["PATH"], **env}
    return ChildSpec(name=name, argv=[sys.executable, "-c", code], env=whole, restart=restart, stop_last=stop_last)


def said(processes: Processes, name: str) -> str:
    log = processes.log(name)
    return log.read_text() if log.exists() else ""


async def test_children_run_apart_with_the_environment_they_were_given_and_a_log(tmp_path: Path) -> None:
    code = "import os; print(os.environ.get('SECRET'), os.environ.get('HOME'), os.getpgrp() == os.getpid());" + SLEEP
    (tmp_path / "a.log").write_text("from before")
    async with Processes([spec("a", code, SECRET="s3cret")], logs=tmp_path) as processes:
        await soon(lambda: "up" in said(processes, "a"))
        assert said(processes, "a").splitlines()[0] == "s3cret None True"
        pid = processes.pid("a")
        assert pid is not None
        assert "s3cret" not in " ".join(psutil.Process(pid).cmdline())
    assert not psutil.pid_exists(pid)
    assert (tmp_path / "a.log.1").read_text() == "from before"
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    heard: list[str] = []
    async with Processes([spec("a", SLEEP)], logs=tmp_path, on_event=heard.append) as processes:
        await soon(lambda: "up" in said(processes, "a"))
        first = processes.pid("a")
        assert first
        os.kill(first, signal.SIGKILL)
        await soon(lambda: processes.pid("a") not in (None, first) and said(processes, "a").count("up") == 2)
    assert heard == ["a ended (SIGKILL); starting it again"]


async def test_a_child_that_keeps_dying_is_given_up_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed) as caught:
        async with Processes([spec("a", "raise SystemExit('no such thing as luck')")], logs=tmp_path) as processes:
            await processes.wait()
    message = str(caught.value)
    assert "a ended 5 times in a row, the last time with exit code 1" in message
    assert str(tmp_path / "a.log") in message
    assert "no such thing as luck" in message
    assert caught.value.name == "a"


@pytest.mark.parametrize(("code", "restart"), [("raise SystemExit(1)", False), ("raise SystemExit(2)", True)])
async def test_a_child_that_is_not_to_be_restarted_or_was_called_wrongly_fails_at_once(
    tmp_path: Path, code: str, restart: bool
) -> None:
    with pytest.raises(ChildFailed, match="a ended with exit code"):
        async with Processes([spec("a", code, restart=restart)], logs=tmp_path) as processes:
            await processes.wait()


async def test_a_program_that_is_not_there_is_a_clear_failure(tmp_path: Path) -> None:
    missing = ChildSpec(name="a", argv=[str(tmp_path / "missing")], env={}, restart=False)
    with pytest.raises(ChildFailed, match="missing"):
        async with Processes([missing], logs=tmp_path) as processes:
            await processes.wait()


async def test_those_that_others_need_end_last(tmp_path: Path) -> None:
    specs = [spec("needed", DRAINING, stop_last=True), spec("other", DRAINING)]
    async with Processes(specs, logs=tmp_path) as processes:
        await soon(lambda: all("up" in said(processes, name) for name in ("needed", "other")))
        logs = {name: processes.log(name) for name in ("needed", "other")}
    ended = {name: int(log.read_text().split()[-1]) for name, log in logs.items()}
    assert ended["other"] < ended["needed"]


async def test_a_child_that_does_not_listen_is_killed_after_the_grace_period(tmp_path: Path) -> None:
    async with Processes([spec("a", STUBBORN)], logs=tmp_path, grace=0.3) as processes:
        await soon(lambda: "up" in said(processes, "a"))
        log, pid = processes.log("a"), processes.pid("a")
    assert "draining" in log.read_text()
    assert pid
    assert not psutil.pid_exists(pid)


async def test_being_cancelled_from_outside_still_ends_the_children(tmp_path: Path) -> None:
    pids: list[int | None] = []

    async def work() -> None:
        async with Processes([spec("a", STUBBORN)], logs=tmp_path, grace=600) as processes:
            await soon(lambda: "up" in said(processes, "a"))
            pids.append(processes.pid("a"))
            await processes.wait()

    task = asyncio.create_task(work())
    await soon(lambda: bool(pids))
    task.cancel()
    await soon(lambda: "draining" in (tmp_path / "a.log").read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pids[0]
    assert not psutil.pid_exists(pids[0])


@contextmanager
def parent(logs: Path, code: str, **options: Any) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process with two children that run `code`, and their ids; nothing of it outlives the block."""
    argv = [sys.executable, "-c", PARENT, str(logs), code]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **options) as process:
        assert process.stdout
        children = [psutil.Process(int(word)) for word in process.stdout.readline().split()]
        try:
            yield process, [child.pid for child in children]
        finally:
            process.kill()
            for child in children:
                # psutil knows a process that only has the number of one that ended.
                with suppress(psutil.NoSuchProcess):
                    child.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with parent(tmp_path, SLEEP) as (process, pids):
        assert len(pids) == 2
        process.kill()
        process.communicate()
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_drains_and_the_second_stops(tmp_path: Path, number: signal.Signals) -> None:
    with parent(tmp_path, STUBBORN) as (process, pids):
        process.send_signal(number)
        wait_for(lambda: all("draining" in (tmp_path / f"{name}.log").read_text() for name in "ab"))
        assert process.poll() is None
        process.send_signal(number)
        process.communicate()
        assert process.returncode == 128 + number
        assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_was_ignored_from_the_start_stays_ignored(tmp_path: Path, ignored: signal.Signals) -> None:
    def in_the_background() -> None:
        signal.signal(ignored, signal.SIG_IGN)

    with parent(tmp_path, SLEEP, preexec_fn=in_the_background) as (process, _):
        process.send_signal(ignored)
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert process.returncode == 128 + signal.SIGTERM


async def test_waiting_for_something_that_never_answers_is_a_clear_error() -> None:
    url = f"http://127.0.0.1:{free_port()}/readyz"
    with pytest.raises(EmbeddedError, match="was not ready after 0 s"):
        await wait_ready(url, timeout=0.1)
