"""The embedded database, as commands use it.

Every command holds a share of a lock while it uses the database; a detached supervisor owns the server and stops it
when it has found the lock free for five seconds. So commands come, go and are killed without caring for each other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pyscrai.embedded.account import server_account
from pyscrai.embedded.cluster import DATABASE, OWNER_FILE, USER, clusters_home, discard
from pyscrai.embedded.errors import EmbeddedError
from pyscrai.embedded.folder import Folder
from pyscrai.embedded.ports import LOOPBACK, accepts
from pyscrai.embedded.server_env import server_environment
from pyscrai.machine import locks
from pyscrai.machine.files import data_home, last_lines, private_folder, rotate

__all__ = ["data_home", "embedded_database", "remove_database", "stop_database", "supervisor_alive"]

WAIT_SECONDS = 150.0
TELL_SECONDS = 2.0
LOST_SUPERVISORS = 3


@contextmanager
def embedded_database(
    data: Path, *, on_progress: Callable[[str], None] | None = None, durable: bool = True
) -> Iterator[str]:
    """A running database of this data folder, as `postgresql://user:password@127.0.0.1:port/pyscrai`.

    Started if it does not run, created if it does not exist; it stays for as long as any command is inside.
    `durable=False` starts it without fsync: for tests, whose data may be lost. Raises EmbeddedError.
    """
    folder = Folder(private_folder(data))
    say = on_progress or _silent
    with locks.lock_file(folder.commands_lock) as handle:
        if not locks.try_shared(handle):
            say("Waiting for the database to stop, to start it again")
            locks.wait_shared(handle)
        yield connect(folder, say, durable=durable)


def connect(folder: Folder, say: Callable[[str], None], *, durable: bool = True) -> str:
    """The address of the folder's database, started if need be. The caller holds a share of the commands' lock."""
    began = time.monotonic()
    lost, patient = 0, True
    while True:
        alive = supervisor_alive(folder)
        state, password = folder.state(), folder.password()
        if alive and state is not None and password is not None and accepts(state.port):
            return f"postgresql://{USER}:{password}@{LOOPBACK}:{state.port}/{DATABASE}"
        if not alive and not _start_supervisor(folder, say, durable=durable):
            lost += 1
        if lost >= LOST_SUPERVISORS:
            said = last_lines(folder.logs / "supervisor.log", 3)
            raise EmbeddedError(f"The embedded database's supervisor ended without a word.\n{said}")
        waited = time.monotonic() - began
        if alive and patient and waited > TELL_SECONDS:
            say("Waiting for the database, which another command is starting")
            patient = False
        if waited > WAIT_SECONDS:
            raise EmbeddedError(
                f"The embedded database did not answer for {WAIT_SECONDS:.0f} s. See {folder.logs / 'postgres.log'}."
            )
        time.sleep(0.01)


def supervisor_alive(folder: Folder) -> bool:
    return locks.held_exclusively(folder.supervisor_lock)


def _start_supervisor(folder: Folder, say: Callable[[str], None], *, durable: bool) -> bool:
    """Start one and wait for what it says: True if there is one now, False if it vanished. Raises EmbeddedError."""
    argv = [sys.executable, "-P", "-m", "pyscrai.embedded.supervisor", str(folder.path)]
    if not durable:
        argv.append("--not-durable")
    log = folder.logs / "supervisor.log"
    if log.exists() and log.stat().st_size > 1_000_000:
        rotate(log)
    folder.logs.mkdir(mode=0o700, exist_ok=True)
    with (
        open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as errors,
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder.path,
            env=server_environment(),
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            message = json.loads(line)
            if "progress" in message:
                say(message["progress"])
            elif "error" in message:
                raise EmbeddedError(message["error"])
            else:
                return True
    return False


def stop_database(data: Path, *, timeout: float = 60.0) -> bool:
    """Stop the folder's server now, whoever uses it; False if none runs. `timeout` in seconds. Raises EmbeddedError."""
    folder = Folder(data.absolute())
    if not supervisor_alive(folder):
        return False
    told = 0
    deadline = time.monotonic() + timeout
    while supervisor_alive(folder):
        # Empty for the instant in which it has the lock and has not signed it yet.
        pid = int(folder.supervisor_lock.read_text("utf-8") or 0)
        if pid != told:
            os.kill(pid, signal.SIGTERM)
            told = pid
        if time.monotonic() > deadline:
            raise EmbeddedError(f"The embedded database (supervisor {pid}) did not stop in {timeout:.0f} s.")
        time.sleep(0.01)
    return True


def remove_database(data: Path) -> None:
    """Stop the folder's server and delete its clusters of every version with all that is in them."""
    folder = Folder(data.absolute())
    stop_database(data)
    account = server_account()
    home = clusters_home(folder, account)
    for cluster in home.glob("pg[0-9]*"):
        discard(cluster)
    if account is not None and home.exists():
        (home / OWNER_FILE).unlink(missing_ok=True)
        home.rmdir()
    for file in (folder.password_file, folder.port_file):
        file.unlink(missing_ok=True)


def _silent(text: str) -> None:
    """Nobody listens."""
