"""One PostgreSQL server process: its settings, start, readiness and end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pyscrai.embedded.cluster import Cluster, explain
from pyscrai.embedded.errors import EmbeddedError
from pyscrai.embedded.leash import die_with_parent
from pyscrai.embedded.ports import LOOPBACK
from pyscrai.embedded.server_env import server_environment
from pyscrai.machine.files import last_lines, rotate

LONGEST_SOCKET_PATH = 107
START_SECONDS = 120.0
STOP_SECONDS = 30.0
SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "password_encryption": "scram-sha-256",
}
"""For a laptop that does other things too. `fsync` and `synchronous_commit` stay on, PostgreSQL's defaults."""

NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
"""For tests: a power cut would destroy the data. A killed server loses nothing, so `synchronous_commit` stays on."""


class PortTaken(EmbeddedError):
    """Somebody took the port between our look and the server's."""


class Server:
    """A running server; its process is our child and ends with us."""

    def __init__(self, cluster: Cluster, port: int, log: Path) -> None:
        self.cluster = cluster
        self.port = port
        self.log = log
        self._process = self._spawn()

    @property
    def pid(self) -> int:
        return self._process.pid

    def running(self) -> bool:
        return self._process.poll() is None

    def _spawn(self) -> subprocess.Popen[bytes]:
        cluster = self.cluster
        rotate(self.log)
        with open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            return subprocess.Popen(
                [cluster.binaries.postgres, "-D", cluster.data, *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=server_environment(),
                # Out of reach of a terminal's Ctrl-C. SIGINT is PostgreSQL's "fast" shutdown.
                process_group=0,
                preexec_fn=die_with_parent("SIGINT"),
                **(cluster.account.popen() if cluster.account else {}),
            )

    def _options(self) -> list[str]:
        socket_path = self.cluster.place / f".s.PGSQL.{self.port}"
        settings = {
            **SETTINGS,
            **({} if self.cluster.durable else NOT_DURABLE),
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": _socket_folder(socket_path),
            "unix_socket_permissions": "0700",
        }
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def wait_ready(self, interrupted: Callable[[], bool]) -> None:
        """Return when it accepts connections. Raises EmbeddedError if it ends, is interrupted or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            if not self.running():
                said = last_lines(self.log)
                if "Address already in use" in said:
                    raise PortTaken(f"Port {self.port} was taken by another program.")
                raise EmbeddedError(
                    f"The database in {self.cluster.place} did not start. {explain(said, self.cluster.place)}\n"
                    f"  (log: {self.log})"
                )
            if interrupted():
                self.stop()
                raise EmbeddedError("The start of the database was interrupted.")
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(
                    f"The database in {self.cluster.place} was not ready after {START_SECONDS:.0f} s. See {self.log}."
                )
            time.sleep(0.005)

    def _ready(self) -> bool:
        """Line 1 of postmaster.pid is the server's process id, line 8 its status."""
        lines = pid_file_lines(self.cluster)
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    def stop(self) -> None:
        """Fast shutdown; after STOP_SECONDS an immediate one, then a kill. The data stay good in each case."""
        for number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            if not self.running():
                return
            self._process.send_signal(number)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue


def _socket_folder(socket_path: Path) -> str:
    """Where the socket goes; none where its path would be too long. Commas and quotes would end the setting."""
    fits = len(os.fsencode(socket_path)) <= LONGEST_SOCKET_PATH
    return str(socket_path.parent) if fits and not set(str(socket_path)) & set(",\"' ") else ""


def pid_file_lines(cluster: Cluster) -> list[str]:
    try:
        return cluster.pid_file.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []


def end_stray(cluster: Cluster, interrupted: Callable[[], bool]) -> None:
    """Wait for a server that lost its supervisor to end, helping it on; then make its pid file harmless.

    To be called by the only supervisor, whose child the next server will be. Raises EmbeddedError if it will not end.
    """
    lines = pid_file_lines(cluster)
    if not lines or not lines[0].strip().isdigit():
        return
    pid = int(lines[0])
    began = time.monotonic()
    for number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if not is_server(pid, cluster):
            break
        os.kill(pid, number)
        began = time.monotonic()
        while is_server(pid, cluster) and time.monotonic() - began < seconds and not interrupted():
            time.sleep(0.01)
    if is_server(pid, cluster):
        raise EmbeddedError(f"Another PostgreSQL server (process {pid}) works in {cluster.data} and does not end.")
    if pid_file_lines(cluster):
        # Its number may since belong to any program, and PostgreSQL would then refuse to start. It never minds its
        # own parent's, and still looks for processes that are attached to the old server's memory.
        text = cluster.pid_file.read_text("utf-8", "replace")
        cluster.pid_file.write_text("\n".join([str(os.getpid()), *text.splitlines()[1:]]) + "\n", "utf-8")


def is_server(pid: int, cluster: Cluster) -> bool:
    """Whether this process is a PostgreSQL server of this cluster."""
    proc = Path("/proc", str(pid), "cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            words = proc.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return False
        return os.fsencode(cluster.data) in words
    listed = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return f"-D {cluster.data} " in listed.stdout


def wait_for_signals(wakeup: int, seconds: float) -> None:
    """Sleep until a signal wrote to the wake-up pipe, or for so long."""
    if select.select([wakeup], [], [], seconds)[0]:
        os.read(wakeup, 4096)
