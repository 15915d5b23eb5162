"""How an engine uses the local model's server: it holds a share of a lock, starts the server if there is none, and
waits in line for a free slot.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from pyscrai.local.errors import LocalError
from pyscrai.local.plan import Place, Plan, place_of
from pyscrai.local.weights import check_runtime
from pyscrai.machine import locks
from pyscrai.machine.files import last_lines, read_json, rotate

START_SECONDS = 120.0
LOST_SERVERS = 3
ANSWER_SECONDS = 5.0
LOOK_SECONDS = 0.02
LOG_BYTES = 1_000_000
KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "PYTHONPATH", "PYTHONHOME")
"""What the server gets of the environment: little, and no key of anybody."""


@dataclass(frozen=True)
class Endpoint:
    """Where the server is, and the key that it wants."""

    url: str
    key: str = field(repr=False)


class Connection:
    """A process's use of one plan's server. While it is open, the server stays; it is for one event loop."""

    def __init__(self, plan: Plan) -> None:
        check_runtime()
        self._plan = plan
        self._place = place_of(plan)
        self._users: int | None = None
        self._known: Endpoint | None = None
        self._starting = asyncio.Lock()
        # First come, first served, among the questions of this process.
        self._line = asyncio.Semaphore(plan.slots)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Endpoint]:
        """A slot of the running server for oneself, however long that takes. Raises LocalError."""
        async with self._line:
            handle = await self._free_slot()
            try:
                yield await self._endpoint()
            finally:
                os.close(handle)

    def close(self) -> None:
        """Let go of the server. It ends when nobody else uses it."""
        if self._users is not None:
            os.close(self._users)
            self._users = None

    async def _free_slot(self) -> int:
        """The lock of a slot that no other process asks in. It goes with this process, however that ends."""
        while True:
            for number in range(self._plan.slots):
                handle = locks.open_lock(self._place.slot_lock(number))
                if locks.try_exclusive(handle):
                    return handle
                os.close(handle)
            await asyncio.sleep(LOOK_SECONDS)

    async def _endpoint(self) -> Endpoint:
        if self._known is not None and self._users is not None and locks.held_exclusively(self._place.server_lock):
            state = _state(self._place)
            if state == self._known:
                return state
        async with self._starting:
            self._known = await asyncio.to_thread(self._connect)
            return self._known

    def _connect(self) -> Endpoint:
        """The server's address, started if need be. Raises LocalError."""
        if self._users is None:
            self._users = locks.open_lock(self._place.users_lock)
            # Waits while a server that nobody used is ending.
            locks.wait_shared(self._users)
        deadline, lost = time.monotonic() + START_SECONDS, 0
        while True:
            alive, state = locks.held_exclusively(self._place.server_lock), _state(self._place)
            if alive and state is not None and _answers(state):
                return state
            if not alive:
                if lost == LOST_SERVERS:
                    raise LocalError(_ended(self._place))
                lost += 1
                _start(self._place, self._plan)
            if time.monotonic() > deadline:
                raise LocalError(f"The local model was not ready after {START_SECONDS:.0f} s. See {self._place.log}.")
            time.sleep(LOOK_SECONDS)


def _start(place: Place, plan: Plan) -> None:
    """Start a server; return when it is ready, has ended, or found that another one was quicker."""
    argv = [sys.executable, "-P", "-m", "pyscrai.local.host", str(place.path), json.dumps(asdict(plan))]
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    # The library's idle threads sleep instead of spinning: there are engines that want the processors.
    env = {"LC_ALL": "C.UTF-8", "OMP_WAIT_POLICY": "PASSIVE", **kept}
    if place.log.exists() and place.log.stat().st_size > LOG_BYTES:
        rotate(place.log)
    with (
        open(os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log,
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=place.path,
            env=env,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        # It says nothing there: what counts is that it lets go.
        select.select([process.stdout], [], [], START_SECONDS)


def _ended(place: Place) -> str:
    said = "".join(f"\n  {line}" for line in last_lines(place.log, 5).splitlines())
    return f"The local model does not start. The last lines of {place.log}:{said or ' none'}"


def _state(place: Place) -> Endpoint | None:
    found = read_json(place.state_file)
    if found is None or not isinstance(found.get("url"), str) or not isinstance(found.get("key"), str):
        return None
    return Endpoint(found["url"], found["key"])


def _answers(endpoint: Endpoint) -> bool:
    """Whether it is our server: a stale address may belong to somebody else by now."""
    parts = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/models", headers={"Authorization": f"Bearer {endpoint.key}"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
