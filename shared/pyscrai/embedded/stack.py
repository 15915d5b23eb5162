"""The whole system on one machine: database, API, engines, as separate processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio

from pyscrai.domain.model_keys import ALL_VARIABLES
from pyscrai.embedded.database import connect, embedded_database, supervisor_alive
from pyscrai.embedded.errors import EmbeddedError
from pyscrai.embedded.folder import Folder
from pyscrai.embedded.ports import LOOPBACK, free_port, is_free
from pyscrai.embedded.processes import ChildSpec, Processes
from pyscrai.embedded.ready import wait_ready
from pyscrai.embedded.running import published, running_api
from pyscrai.machine.files import private_folder

__all__ = ["ENGINES", "Stack", "running_api", "stack"]

ENGINES: Mapping[str, int] = {"actor": 1, "narrator": 1, "analyst": 1}
API = "api"
SECRET = "PYSCRAI_SECRET"
SETTINGS_OF_OTHERS = frozenset(
    {"PYSCRAI_API_URL", "PYSCRAI_DATABASE_URL", "PYSCRAI_HOST", "PYSCRAI_LISTEN_URL", "PYSCRAI_PORT", "PYSCRAI_TOKEN"}
    | {SECRET}
)
WATCH_SECONDS = 1.0
KEPT_LOGS = 10


@dataclass(frozen=True)
class Stack:
    """What runs. `token` is what callers of the API must show; None: no token is needed."""

    api_url: str
    token: str | None = field(repr=False)
    engines: Mapping[str, int]
    pool: str | None
    processes: Processes = field(repr=False)

    async def wait(self) -> None:
        """Until a signal arrives or something cannot be kept running, which then comes out of the context."""
        await self.processes.wait()

    async def wait_engines(self, timeout: float = 60.0) -> None:
        """Return when as many engines as were started are registered. `timeout` in seconds. Raises EmbeddedError."""
        await wait_ready(
            f"{self.api_url}/api/v1/engine-instances?status=active",
            timeout=timeout,
            token=self.token,
            enough=self._enough,
        )

    def _enough(self, answer: object) -> bool:
        listed: Any = answer.get("items", []) if isinstance(answer, dict) else answer
        types = [engine["engine_type"] for engine in listed if engine.get("pool") == self.pool]
        return all(types.count(engine_type) >= count for engine_type, count in self.engines.items())


@asynccontextmanager
async def stack(
    *,
    data: Path,
    database_url: str | None = None,
    engines: Mapping[str, int] = ENGINES,
    pool: str | None = None,
    host: str = LOOPBACK,
    port: int = 0,
    token: str | None = None,
    extra_env: Mapping[str, str] | None = None,
    publish: bool = False,
    ready_timeout: float = 60.0,
    grace: float = 25.0,
    on_progress: Callable[[str], None] | None = None,
) -> AsyncIterator[Stack]:
    """Run database, API and engines, all started at once, until the context is left; inside, the API is ready.

    Without `database_url` the embedded database of the `data` folder is used. `port` 0 takes a free one. `engines`
    counts processes by engine type; `pool` gives them a private lane. `publish` lets `running_api` find the API.
    Raises EmbeddedError (ChildFailed with the end of its log), and Interrupted on SIGINT and SIGTERM; see Processes.
    """
    folder = Folder(private_folder(data))
    say = on_progress or (lambda text: None)
    port = _usable_port(host, port)
    url = f"http://{LOOPBACK if host in ('', '0.0.0.0', '::') else host}:{port}"
    given = {**os.environ, **(extra_env or {})}
    base = _environment(folder, given)
    async with Processes(logs=_log_folder(folder), grace=grace, on_event=say) as processes:
        for spec in _engine_specs(engines, pool, url, token, base):
            # They need no database, take a while to import, and try again until the API answers.
            processes.start(spec)
        async with _database(folder, database_url, say) as (dsn, watch):
            try:
                spec = _api_spec(dsn, host, port, token, base, given.get(SECRET))
                processes.start(spec)
                await wait_ready(f"{url}/readyz", timeout=ready_timeout, token=token)
                processes.restart_from_now(API)
                async with watch(processes, spec):
                    running = Stack(url, token, dict(engines), pool, processes)
                    if publish:
                        with published(folder.path, url, token):
                            yield running
                    else:
                        yield running
            finally:
                # The database has to be there until the API has ended.
                await processes.stop()


def _usable_port(host: str, port: int) -> int:
    if port == 0:
        return free_port()
    if not is_free(port, host):
        raise EmbeddedError(
            f"Port {port} on {host} is in use by another program (or another PyScrAI: see `pyscrai doctor`). "
            "Stop that one, or choose another port with --port or PYSCRAI_PORT (0 takes a free one)."
        )
    return port


def _environment(folder: Folder, given: Mapping[str, str]) -> dict[str, str]:
    """What every child gets. Addresses and secrets are added for those that may know them."""
    merged = {**given, "PYSCRAI_DATA": str(folder.path)}
    return {name: value for name, value in merged.items() if name not in SETTINGS_OF_OTHERS}


def _engine_specs(
    engines: Mapping[str, int], pool: str | None, url: str, token: str | None, base: Mapping[str, str]
) -> list[ChildSpec]:
    env = {**base, "PYSCRAI_API_URL": url, **({"PYSCRAI_TOKEN": token} if token else {})}
    options = ["--pool", pool] if pool else []
    return [
        ChildSpec(
            name=f"{engine_type}-{number}",
            argv=[sys.executable, "-P", "-m", f"pyscrai_{engine_type}", *options],
            env=env,
        )
        for engine_type, count in engines.items()
        for number in range(1, count + 1)
    ]


def _api_spec(
    dsn: str, host: str, port: int, token: str | None, base: Mapping[str, str], secret: str | None
) -> ChildSpec:
    # The keys of the environment are for the engines; the API asks no model.
    env = {name: value for name, value in base.items() if name not in ALL_VARIABLES}
    env |= {"PYSCRAI_DATABASE_URL": dsn, "PYSCRAI_HOST": host}
    env |= {name: value for name, value in (("PYSCRAI_TOKEN", token), (SECRET, secret)) if value}
    return ChildSpec(
        name=API,
        argv=[sys.executable, "-P", "-m", "pyscrai_api", "--port", str(port)],
        env=env,
        # While it starts, what it says is shown at once; later it is kept alive.
        restart=False,
        stop_last=True,
    )


def _log_folder(folder: Folder) -> Path:
    """A folder of its own for this command's logs; those of the latest few commands are kept."""
    folder.logs.mkdir(mode=0o700, exist_ok=True)
    earlier = sorted(folder.logs.glob("stack-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in earlier[KEPT_LOGS - 1 :]:
        pid = old.name.split("-")[1]
        if not _runs(int(pid)):
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"stack-{os.getpid()}-", dir=folder.logs))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


Watch = Callable[[Processes, ChildSpec], Any]


@asynccontextmanager
async def _database(folder: Folder, given: str | None, say: Callable[[str], None]) -> AsyncIterator[tuple[str, Watch]]:
    """The database's address, and a context that watches over it while the API uses it."""

    @asynccontextmanager
    async def unwatched(processes: Processes, spec: ChildSpec) -> AsyncIterator[None]:
        yield

    if given is not None:
        yield given, unwatched
        return

    loop = asyncio.get_running_loop()

    def progress(text: str) -> None:
        loop.call_soon_threadsafe(say, text)

    @asynccontextmanager
    async def watched(processes: Processes, spec: ChildSpec) -> AsyncIterator[None]:
        task = asyncio.create_task(_watch_database(folder, processes, spec, progress))
        try:
            yield
        finally:
            task.cancel()

    manager = embedded_database(folder.path, on_progress=progress)
    entering = asyncio.create_task(asyncio.to_thread(manager.__enter__))
    try:
        dsn = await asyncio.shield(entering)
    except asyncio.CancelledError:
        # The thread goes on, and what it gets has to be given back.
        with anyio.CancelScope(shield=True):
            await asyncio.wait({entering})
        if entering.exception() is None:
            manager.__exit__(None, None, None)
        raise
    try:
        yield dsn, watched
    finally:
        manager.__exit__(None, None, None)


async def _watch_database(folder: Folder, processes: Processes, spec: ChildSpec, say: Callable[[str], None]) -> None:
    """Start the database again if its supervisor was killed. We hold the commands' lock all the time.

    It comes back under the same address as long as nobody took its port; else the API is started anew.
    """
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if supervisor_alive(folder):
            continue
        say("The database's supervisor is gone; starting the database again")
        try:
            dsn = await asyncio.to_thread(connect, folder, say)
        except EmbeddedError as error:
            processes.fail(error)
            return
        if dsn != spec.env["PYSCRAI_DATABASE_URL"]:
            spec = replace(spec, env={**spec.env, "PYSCRAI_DATABASE_URL": dsn})
            processes.respawn(spec)
