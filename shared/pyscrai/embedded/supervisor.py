"""The process that owns the embedded server: `python -m pyscrai.embedded.supervisor FOLDER [--not-durable]`.

It is started by the first command that needs the database, and outlives it while others use the database. It tells
its starter over stdout, one JSON object a line: `progress`, then one of `ready`, `busy` (there is a supervisor
already) and `error`. Then it listens to nobody: the lock on `postgres.lock` says whether commands are left.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from pyscrai.embedded.account import server_account
from pyscrai.embedded.binaries import find_binaries, for_another_user
from pyscrai.embedded.cluster import (
    Cluster,
    create,
    explain_os_error,
    other_majors,
    place_cluster,
    set_password,
)
from pyscrai.embedded.errors import EmbeddedError
from pyscrai.embedded.folder import Folder, State
from pyscrai.embedded.ports import is_free, preferred
from pyscrai.embedded.server import PortTaken, Server, end_stray, wait_for_signals
from pyscrai.machine import locks
from pyscrai.machine.files import write_private

PROBE_SECONDS = 1.0
FREE_PROBES = 5
QUICK_DEATH_SECONDS = 10.0
QUICK_DEATHS = 5
SAME_PORT_SECONDS = 5.0


class Starter:
    """The command that started us, as long as it listens."""

    def tell(self, **message: object) -> None:
        try:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()
        except OSError:
            # It was killed meanwhile. Others may wait for this database, and it will be stopped if nobody does.
            self.leave()

    def say(self, text: str) -> None:
        self.tell(progress=text)

    def leave(self) -> None:
        """Let go of the pipe, whose end tells the starter that nothing more will come."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


class Supervisor:
    """Starts the server, starts it again when it dies, stops it when nobody needs it."""

    def __init__(self, folder: Folder, starter: Starter, *, durable: bool) -> None:
        self.folder = folder
        self.starter = starter
        self.durable = durable
        self.ending = False
        self.wakeup, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.ending = True

    def prepare(self) -> Cluster:
        """Programs, account and cluster, made where they are missing. Raises EmbeddedError."""
        folder, say = self.folder, self.starter.say
        found = find_binaries(os.environ.get("PYSCRAI_PG_BIN"))
        account = server_account()
        place = place_cluster(folder, found, account)
        # First of all: a server that lost its supervisor may still use what is replaced below.
        end_stray(Cluster(place, found, account, self.durable), lambda: self.ending)
        binaries = found if account is None else for_another_user(found, place)
        cluster = Cluster(place, binaries, account, self.durable)
        if not cluster.exists:
            for other in other_majors(folder, binaries, account):
                say(
                    f"PostgreSQL {binaries.version} cannot read the database that another version made. It gets a new, "
                    f"empty one; the old one stays in {other}. To use that again, name the folder of its version's "
                    "programs in PYSCRAI_PG_BIN"
                )
        password = folder.password()
        fresh = password or secrets.token_hex(24)
        existed = cluster.exists
        create(cluster, fresh, say)
        if password is None:
            if existed:
                say(f"The password file was gone; using the database in {cluster.place} with a new password")
                set_password(cluster, fresh)
            write_private(folder.password_file, fresh)
        return cluster

    def start(self, cluster: Cluster, port: int | None = None) -> Server:
        """A server that accepts connections, on `port` or the best one there is. Raises EmbeddedError."""
        log = self.folder.logs / "postgres.log"
        for candidate in preferred(port or self._last_port(), self.folder.fingerprint):
            if not is_free(candidate) and not (candidate == port and self._wait_free(candidate)):
                continue
            server = Server(cluster, candidate, log)
            try:
                server.wait_ready(lambda: self.ending)
            except PortTaken:
                continue
            write_private(self.folder.port_file, f"{candidate}\n")
            self._publish(server)
            return server
        raise AssertionError("unreachable: the ports never end")

    def _last_port(self) -> int | None:
        try:
            return int(self.folder.port_file.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def _wait_free(self, port: int) -> bool:
        """Commands know this port: it is worth some patience after a crash."""
        deadline = time.monotonic() + SAME_PORT_SECONDS
        while not is_free(port):
            if time.monotonic() > deadline or self.ending:
                return False
            wait_for_signals(self.wakeup, 0.05)
        return True

    def _publish(self, server: Server) -> None:
        cluster = server.cluster
        state = State(server.port, cluster.binaries.version, os.getpid(), server.pid, str(cluster.data))
        write_private(self.folder.state_file, json.dumps(asdict(state)))

    def watch(self, server: Server, commands: int) -> None:
        """Until nobody has needed the server for FREE_PROBES probes, or a signal says so; then stop it.

        `commands` is the open lock of the commands. In the first case it is held exclusively on return.
        """
        free, deaths, born = 0, 0, time.monotonic()
        next_probe = born + PROBE_SECONDS
        try:
            while not self.ending and free < FREE_PROBES:
                wait_for_signals(self.wakeup, max(0.0, next_probe - time.monotonic()))
                if not server.running() and not self.ending:
                    deaths = deaths + 1 if time.monotonic() - born < QUICK_DEATH_SECONDS else 1
                    server, born = self._revive(server, deaths), time.monotonic()
                if time.monotonic() >= next_probe:
                    next_probe = time.monotonic() + PROBE_SECONDS
                    free = free + 1 if locks.nobody_left(commands, keep=free + 1 == FREE_PROBES) else 0
        finally:
            server.stop()

    def _revive(self, server: Server, deaths: int) -> Server:
        print(f"the server on port {server.port} ended by itself ({deaths} in a row)", file=sys.stderr)  # noqa: T201
        while True:
            if deaths >= QUICK_DEATHS:
                raise EmbeddedError(f"The database server ended {deaths} times in a row; see {server.log}.")
            pause = time.monotonic() + min(10.0, 0.1 * 4.0 ** (deaths - 1))
            while time.monotonic() < pause and not self.ending:
                wait_for_signals(self.wakeup, max(0.0, pause - time.monotonic()))
            end_stray(server.cluster, lambda: self.ending)
            try:
                return self.start(server.cluster, server.port)
            except EmbeddedError:
                traceback.print_exc()
                deaths += 1


def supervise(folder: Folder, starter: Starter, *, durable: bool) -> None:
    """Be the folder's supervisor until it is no longer needed, unless there is one. Raises EmbeddedError."""
    with locks.lock_file(folder.commands_lock) as commands, locks.lock_file(folder.supervisor_lock) as own:
        if not locks.become_the_one(own):
            starter.tell(busy=True)
            return
        os.ftruncate(own, 0)
        os.pwrite(own, f"{os.getpid()}\n".encode(), 0)
        try:
            supervisor = Supervisor(folder, starter, durable=durable)
            server = supervisor.start(supervisor.prepare())
            starter.tell(ready=True)
            starter.leave()
            supervisor.watch(server, commands)
        finally:
            # Before the locks go, in this order: a command that gets in next finds no state and no supervisor.
            folder.state_file.unlink(missing_ok=True)
            locks.release(own)


def main() -> None:
    folder = Folder(Path(sys.argv[1]))
    durable = "--not-durable" not in sys.argv[2:]
    if os.fork():
        # The starter waits for this process only; the other one belongs to nobody and holds no terminal.
        os._exit(0)
    starter = Starter()
    try:
        supervise(folder, starter, durable=durable)
    except EmbeddedError as error:
        traceback.print_exc()
        starter.tell(error=str(error))
        sys.exit(1)
    except OSError as error:
        traceback.print_exc()
        starter.tell(error=explain_os_error(error, folder))
        sys.exit(1)


if __name__ == "__main__":
    main()
