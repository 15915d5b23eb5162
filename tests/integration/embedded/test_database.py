"""The embedded database as commands meet it: starting, sharing, secrets."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import asyncpg
import psutil
import pytest

from pyscrai.embedded.account import server_account
from pyscrai.embedded.cluster import clusters_home
from pyscrai.embedded.database import embedded_database, stop_database, supervisor_alive
from pyscrai.embedded.errors import EmbeddedError
from pyscrai.embedded.folder import Folder
from pyscrai.embedded.server import SETTINGS
from pyscrai.machine.errors import MachineError

from .helpers import command, end, fetch, mentioning, supervisors, wait_for


def test_it_is_created_kept_and_found_again_under_the_same_address(data: Path) -> None:
    said: list[str] = []
    with embedded_database(data, on_progress=said.append) as dsn:
        fetch(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert fetch(dsn, "SELECT current_database()") == "pyscrai"
        for name, wanted in {**SETTINGS, "fsync": "on", "synchronous_commit": "on"}.items():
            if name != "log_line_prefix":
                assert fetch(dsn, f"SHOW {name}") == wanted
    assert [line for line in said if line.startswith("Creating a database in")]
    assert stop_database(data)
    assert not stop_database(data)
    again: list[str] = []
    with embedded_database(data, on_progress=again.append) as later:
        assert later == dsn
        assert fetch(later, "SELECT answer FROM kept") == 42
    assert again == []


def test_secrets_stay_secret(data: Path) -> None:
    with embedded_database(data, durable=False) as dsn:
        folder = Folder(data)
        password = folder.password()
        assert password
        assert password in dsn
        with pytest.raises(asyncpg.InvalidPasswordError):
            fetch(dsn.replace(password, "guessed"), "SELECT 1")
        assert mentioning(password) == []
        for file in (folder.password_file, folder.state_file, folder.commands_lock, folder.supervisor_lock):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        written = [file for file in data.rglob("*") if file.is_file() and file != folder.password_file]
        written += list(clusters_home(folder, server_account()).rglob("*.log"))
        for file in written:
            assert password.encode() not in file.read_bytes(), file


def test_the_server_listens_on_loopback_only_and_knows_no_key_of_ours(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-the-database")
    monkeypatch.setenv("PGPORT", "1")
    with embedded_database(data, durable=False) as dsn:
        state = Folder(data).state()
        assert state is not None
        server = psutil.Process(state.server)
        listening = {link.laddr for link in server.net_connections("tcp") if link.status == psutil.CONN_LISTEN}
        assert listening == {("127.0.0.1", state.port)}
        for process in (server, psutil.Process(state.supervisor)):
            assert not {"OPENAI_API_KEY", "PGPORT"} & set(process.environ())
        assert fetch(dsn, "SHOW fsync") == "off"


def test_commands_that_start_at_once_share_one_supervisor(data: Path) -> None:
    commands = [command(data) for _ in range(6)]
    try:
        addresses = {process.stdout.readline().strip() for process in commands if process.stdout}
        assert len(addresses) == 1
        assert addresses.pop().startswith("postgresql://pyscrai:")
        assert len(supervisors(data)) == 1
    finally:
        for process in commands:
            end(process)


def test_it_survives_killed_commands_and_stops_when_the_last_one_is_gone(data: Path) -> None:
    first, second = command(data), command(data)
    try:
        assert first.stdout
        assert second.stdout
        dsn = first.stdout.readline().strip()
        assert second.stdout.readline().strip() == dsn
        server = (Folder(data).state() or pytest.fail("no state")).server
        end(first)
        assert fetch(dsn, "SELECT 1") == 1
    finally:
        end(first)
        end(second)
    wait_for(lambda: not supervisor_alive(Folder(data)))
    assert not psutil.pid_exists(server)
    assert Folder(data).state() is None
    with embedded_database(data, durable=False) as again:
        assert fetch(again, "SELECT 1") == 1


def test_a_lost_password_file_gets_a_new_password(data: Path) -> None:
    with embedded_database(data, durable=False) as dsn:
        fetch(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    stop_database(data)
    Folder(data).password_file.unlink()
    said: list[str] = []
    with embedded_database(data, durable=False, on_progress=said.append) as later:
        assert later != dsn
        assert fetch(later, "SELECT answer FROM kept") == 42
    assert "with a new password" in " ".join(said)


def test_a_data_folder_with_a_long_odd_path_works_and_keeps_its_mode(data: Path) -> None:
    from pyscrai.embedded.database import remove_database

    long = data / ("a folder, with 'quotes' and ünïcode " + "x" * 80)
    long.mkdir(mode=0o755)
    before = long.stat().st_mode
    try:
        with embedded_database(long, durable=False) as dsn:
            assert fetch(dsn, "SELECT 1") == 1
        assert long.stat().st_mode == before
    finally:
        remove_database(long)


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be created"), embedded_database(tmp_path / "file" / "data"):
        pass


def test_programs_that_are_not_there_are_one_clear_error(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSCRAI_PG_BIN", str(data))
    with (
        pytest.raises(EmbeddedError, match="PYSCRAI_PG_BIN does not lead to a usable PostgreSQL"),
        embedded_database(data),
    ):
        pass
    assert not supervisor_alive(Folder(data))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server another account")
def test_root_lends_the_server_another_account(data: Path) -> None:
    data.chmod(0o700)
    with embedded_database(data, durable=False) as dsn:
        state = Folder(data).state()
        assert state is not None
        account = server_account()
        assert account is not None
        server = psutil.Process(state.server)
        assert server.uids().real == account.uid != 0
        assert server.gids().effective == account.gid
        assert fetch(dsn, "SELECT pg_catalog.current_setting('data_directory')") == state.data
        assert not Path(state.data).is_relative_to(data)
        assert not Path(server.exe()).is_relative_to(Path(__file__).parents[3])
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
