"""Killing the parts of the embedded database, and what the next command finds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pyscrai.embedded.account import server_account
from pyscrai.embedded.binaries import find_binaries
from pyscrai.embedded.cluster import clusters_home
from pyscrai.embedded.database import embedded_database, stop_database, supervisor_alive
from pyscrai.embedded.folder import Folder, State
from pyscrai.embedded.ports import accepts

from .helpers import command, end, fetch, supervisors, wait_for


def state_of(data: Path) -> State:
    state = Folder(data).state()
    assert state is not None
    return state


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def kill(*processes: psutil.Process) -> None:
    """`kill -9`. Servers go by themselves once their first process is gone, perhaps before we come to them."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def test_a_killed_supervisor_takes_the_server_with_it_and_the_next_command_starts_both(data: Path) -> None:
    with embedded_database(data, durable=False) as dsn:
        fetch(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        before = state_of(data)
        os.kill(before.supervisor, signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(before.server))
        # Its state file is still there, and stale.
        assert Folder(data).state() == before
        with embedded_database(data, durable=False) as again:
            assert again == dsn
            assert fetch(again, "SELECT answer FROM kept") == 42
            assert state_of(data).server != before.server


def test_nothing_strays_when_everything_is_killed_and_the_folder_starts_again(data: Path) -> None:
    process = command(data)
    try:
        assert process.stdout
        dsn = process.stdout.readline().strip()
        fetch(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        state = state_of(data)
        servers = family(state.server)
        kill(psutil.Process(process.pid), psutil.Process(state.supervisor), *servers)
    finally:
        end(process)
    wait_for(lambda: not any(server.is_running() for server in servers))
    with embedded_database(data, durable=False) as again:
        assert again == dsn
        assert fetch(again, "SELECT answer FROM kept") == 42


def test_a_killed_server_is_started_again_under_the_same_address(data: Path) -> None:
    with embedded_database(data, durable=False) as dsn:
        before = state_of(data)
        kill(psutil.Process(before.server))
        wait_for(lambda: state_of(data).server != before.server and accepts(before.port))
        assert state_of(data).supervisor == before.supervisor
        assert fetch(dsn, "SELECT 1") == 1


def test_a_process_id_that_now_belongs_to_somebody_else_does_not_block_the_start(data: Path) -> None:
    with embedded_database(data, durable=False):
        before = state_of(data)
        pid_file = Path(before.data, "postmaster.pid")
        left = pid_file.read_text()
    stop_database(data)
    # PostgreSQL refuses to start if that process runs under the server's own user: so it has to.
    account = server_account()
    stranger = subprocess.Popen(["sleep", "600"], **(account.popen() if account else {}))
    try:
        pid_file.write_text(left.replace(str(before.server), str(stranger.pid), 1))
        if account:
            os.chown(pid_file, account.uid, account.gid)
        with embedded_database(data, durable=False) as dsn:
            assert fetch(dsn, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_creation_killed_in_the_middle_starts_over(data: Path) -> None:
    process = command(data)
    try:
        home = clusters_home(Folder(data), server_account())
        wait_for(lambda: [torn for torn in home.glob("pg*/new-*/data/*") if supervisors(data)])
        kill(*supervisors(data))
        # The command notices and starts another supervisor, which clears away what the first one left.
        assert process.stdout
        dsn = process.stdout.readline().strip()
        assert fetch(dsn, "SELECT current_database()") == "pyscrai"
        assert list(home.glob("pg*/new-*")) == []
    finally:
        end(process)


def test_a_stale_or_broken_state_file_does_no_harm(data: Path) -> None:
    file = Folder(data).state_file
    for left in ('{"port": 1}', "", json.dumps({**State(1, "18.4", os.getpid(), os.getpid(), "/nowhere").__dict__})):
        file.write_text(left)
        with embedded_database(data, durable=False) as dsn:
            assert fetch(dsn, "SELECT 1") == 1
        stop_database(data)


def test_a_taken_port_makes_it_choose_another_and_keep_that(data: Path) -> None:
    with embedded_database(data, durable=False):
        first = state_of(data).port
    stop_database(data)
    wait = "print(1, flush=True); signal.pause()"
    listen = f"import socket, signal; s = socket.create_server(('127.0.0.1', {first})); {wait}"
    listener = subprocess.Popen([sys.executable, "-c", listen], stdout=subprocess.PIPE)
    with listener:
        assert listener.stdout
        listener.stdout.readline()
        with embedded_database(data, durable=False):
            second = state_of(data).port
        stop_database(data)
        listener.kill()
    assert second != first
    with embedded_database(data, durable=False):
        assert state_of(data).port == second


def test_another_major_version_gets_a_folder_of_its_own_and_says_so(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = find_binaries()
    older = [
        folder.parent for folder in newest.bin.parent.parent.glob("*/bin/postgres") if folder.parent != newest.bin
    ] or list(Path("/usr/lib/postgresql").glob("1[567]/bin"))
    if not older:
        pytest.skip("only one version of PostgreSQL is here")
    with embedded_database(data, durable=False) as dsn:
        fetch(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    stop_database(data)
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setenv("PYSCRAI_PG_BIN", str(older[0]))
        with embedded_database(data, durable=False, on_progress=said.append) as other:
            assert not fetch(other, "SELECT EXISTS (SELECT FROM pg_tables WHERE tablename = 'kept')")
        stop_database(data)
    assert f"pg{newest.major}" in " ".join(said)
    assert "PYSCRAI_PG_BIN" in " ".join(said)
    with embedded_database(data, durable=False) as dsn:
        assert fetch(dsn, "SELECT answer FROM kept") == 42


def test_a_supervisor_told_to_end_stops_the_server_although_commands_use_it(data: Path) -> None:
    with embedded_database(data, durable=False):
        state = state_of(data)
        os.kill(state.supervisor, signal.SIGTERM)
        wait_for(lambda: not supervisor_alive(Folder(data)))
        assert not psutil.pid_exists(state.server)
