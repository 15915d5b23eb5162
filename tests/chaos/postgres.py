"""A real PostgreSQL server of the world's own, started again by itself whenever it is gone."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import psutil
from tests.chaos.disk import Disk

from pyscrai.embedded.account import server_account
from pyscrai.embedded.binaries import find_binaries, for_another_user
from pyscrai.embedded.cluster import DATABASE, USER, Cluster, create
from pyscrai.embedded.errors import EmbeddedError
from pyscrai.embedded.server import Server, end_stray

APP = "chaos_app"
RETRY_SECONDS = 0.1
SETTINGS = {
    "synchronous_commit": "on",
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "log_line_prefix": "%m [%p] %a ",
    "log_lock_waits": "off",
    # Connections are lost by the thousand; what a password costs is not what is looked at.
    "scram_iterations": "64",
}


class ChaosServer(Server):
    """The embedded server with settings of our own: the last word on its command line wins."""

    more: dict[str, str] = {}

    def _options(self) -> list[str]:
        settings = {**SETTINGS, **self.more}
        if self.cluster.binaries.major < 16:
            del settings["scram_iterations"]
        return [*super()._options(), *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]


class Postgres:
    """`up` is set while it accepts connections. `starts` counts them, `refused_starts` those that failed."""

    def __init__(self, cluster: Cluster, logs: Path, *, port: int, max_connections: int) -> None:
        self.port = port
        self.up = asyncio.Event()
        self.starts = 0
        self.refused_starts: list[str] = []
        self.app_password, self._password = secrets.token_hex(16), secrets.token_hex(16)
        self._cluster, self._logs = cluster, logs
        self._server: ChaosServer | None = None
        self._ending = False
        ChaosServer.more = {"max_connections": str(max_connections)}

    @property
    def dsn(self) -> str:
        """As the superuser, straight to the server."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{DATABASE}"

    def app_dsn(self, port: int | None = None) -> str:
        """As the API's user, who has no reserved connections, through `port`."""
        return f"postgresql://{APP}:{self.app_password}@127.0.0.1:{port or self.port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        """The postmaster, while it runs."""
        return self._server.pid if self._server is not None and self._server.running() else None

    def backends(self) -> list[int]:
        """The processes that the postmaster has started."""
        pid = self.pid
        if pid is None:
            return []
        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except psutil.NoSuchProcess:
            return []

    async def prepare(self) -> None:
        """Make the cluster, and a database that belongs to an ordinary user."""
        # In this thread: what it starts is on a leash that ends with the thread.
        create(self._cluster, self._password, lambda text: None)
        await self._start()
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(f"CREATE ROLE {APP} LOGIN PASSWORD '{self.app_password}'")
            # By hand too, for whoever looks at the ruins: the role owns all there is.
            await connection.execute(f"GRANT ALL ON SCHEMA public TO {APP}")
            await connection.execute(f"ALTER DATABASE {DATABASE} OWNER TO {APP}")
        finally:
            await connection.close()

    async def keep(self) -> None:
        """Start the server again whenever it has ended, until cancelled."""
        while True:
            await self._gone()
            self.up.clear()
            try:
                await self._start()
            except EmbeddedError as error:
                # The disk may be full, or processes of the dead server still hold its memory.
                self.refused_starts.append(str(error).splitlines()[-1].strip())
                await asyncio.sleep(RETRY_SECONDS)

    async def stop(self) -> None:
        """End it for good."""
        self._ending = True
        self.up.clear()
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    def kill(self, *, everyone: bool) -> None:
        """kill -9 for the postmaster; with `everyone` for all its processes at once, as in a power cut."""
        pids = self.backends() if everyone else []
        if (pid := self.pid) is not None:
            pids.insert(0, pid)
        for each in pids:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)

    async def _start(self) -> None:
        end_stray(self._cluster, lambda: self._ending)
        self.starts += 1
        # Here and not in a thread, for the same leash; only the waiting may block.
        self._server = ChaosServer(self._cluster, self.port, self._logs / f"postgres-{self.starts:03d}.log")
        await asyncio.to_thread(self._server.wait_ready, lambda: self._ending)
        self.up.set()

    async def _gone(self) -> None:
        server = self._server
        if server is None or not server.running():
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        handle = os.pidfd_open(server.pid)
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
        # Reaps it, too.
        server.running()


@asynccontextmanager
async def postgres(folder: Path, disk: Disk, logs: Path, *, port: int, max_connections: int) -> AsyncIterator[Postgres]:
    """A server on that disk, kept alive for as long as the block lasts. `folder` must be open to its account."""
    found, account = find_binaries(os.environ.get("PYSCRAI_PG_BIN")), server_account()
    binaries = found if account is None else for_another_user(found, folder)
    place = disk.place / "cluster"
    place.mkdir(mode=0o700)
    if account is not None:
        os.chown(place, account.uid, account.gid)
    made = Postgres(Cluster(place, binaries, account, durable=True), logs, port=port, max_connections=max_connections)
    try:
        await made.prepare()
        keeper = asyncio.create_task(made.keep(), name="postgres")
        try:
            yield made
        finally:
            keeper.cancel()
            await asyncio.wait({keeper})
    finally:
        await made.stop()
