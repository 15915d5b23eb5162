"""Behind PgBouncer in transaction mode: each transaction may get another connection of the server, nothing is kept in a
session, LISTEN never delivers, and the bouncer itself may die."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import pytest
from tests.acceptance.fleet import fleet, free_port, script, until
from tests.acceptance.test_kills import QUICK, council

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NOBODY = 65534
CONNECTIONS = 4
"""Of the server, for everybody together: fewer than the API's pool has, so that they change hands all the time."""

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="needs pgbouncer (Debian: apt install pgbouncer)")


class Bouncer:
    """A PgBouncer before one database; `dsn` goes through it."""

    def __init__(self, dsn: str, folder: Path) -> None:
        parts = urlsplit(dsn)
        self.port = free_port()
        self.dsn = urlunsplit(parts._replace(netloc=f"{parts.username}:any@127.0.0.1:{self.port}"))
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        password = unquote(parts.password or "")
        name = parts.path.lstrip("/")
        (folder / "users").write_text(f'"{parts.username}" "{password}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"""[databases]
{name} = host={parts.hostname} port={parts.port or 5432} user={parts.username} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
auth_file = {folder / "users"}
pool_mode = transaction
default_pool_size = {CONNECTIONS}
max_client_conn = 200
"""
        )

    def start(self) -> None:
        """Start it, and wait until it listens."""
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        with open(self._folder / "pgbouncer.ini", "rb") as settings, open(self._folder / "log", "ab") as log:
            # By descriptor: as root it gives up its rights, and may not open what is in a folder of root's.
            self._process = subprocess.Popen(
                [str(PGBOUNCER), f"/proc/self/fd/{settings.fileno()}"],
                pass_fds=[settings.fileno()], stdout=log, stderr=log, stdin=subprocess.DEVNULL, **who,  # type: ignore[call-overload]
            )  # fmt: skip
        until("PgBouncer", self._listens)

    def kill(self) -> None:
        """kill -9, and reap."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def bouncer(dsn: str, folder: Path) -> Iterator[Bouncer]:
    one = Bouncer(dsn, folder)
    one.start()
    try:
        yield one
    finally:
        one.kill()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("direct_line", [True, False], ids=["listens-directly", "never-hears-a-bell"])
def test_a_run_through_pgbouncer(dsn: str, tmp_path: Path, direct_line: bool) -> None:
    model = script(tmp_path / "script.yaml", latency=0.02)
    with fleet(dsn, tmp_path / "direct", engines=1, **QUICK) as machines:
        expected = machines.ended(machines.play(council(5, 3), model=model))
    settings = {**QUICK, "PYSCRAI_STATEMENT_CACHE": "0"} | ({"PYSCRAI_LISTEN_URL": dsn} if direct_line else {})
    with (
        bouncer(dsn, tmp_path / "bouncer") as between,
        fleet(between.dsn, tmp_path / "fleet", engines=2, **settings) as machines,
    ):
        run = machines.play(council(5, 3), model=model)
        until("the second turn", lambda: machines.get(f"/runs/{run['id']}")["turn"] >= 2)
        between.kill()
        between.start()
        ended = machines.ended(run)
        assert (ended["status"], ended["log_digest"]) == ("completed", expected["log_digest"])
        made = machines.post("/events", {"engine_type": "other", "data": {"prompt": "x"}})
        assert machines.get(f"/events/{made['id']}")["status"] == "queued"
        report = machines.get("/health/report")
        assert {line["section"] for line in report["lines"]} == {"queue", "database"}
        assert {lane["lane"] for lane in machines.get("/queue")["lanes"]} >= {"actor", "other"}
        machines.put("/queue/pauses", {"event_type": "prompt", "reason": "through a pooler"})
        until("it is held", lambda: machines.get(f"/events/{made['id']}")["state"] == "held")
        assert machines.get("/queue/pauses")[0]["held"] == 1
