"""Child processes: started together, kept alive, ended in order, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio

from pyscrai.embedded import leash
from pyscrai.embedded.child import Child, ChildSpec, ending, gave_up
from pyscrai.embedded.errors import ChildFailed, EmbeddedError, Interrupted
from pyscrai.embedded.ports import free_port
from pyscrai.embedded.ready import wait_ready
from pyscrai.machine.files import last_lines, rotate

__all__ = ["ChildSpec", "Processes", "free_port", "wait_ready"]

QUICK_DEATH_SECONDS = 10.0
QUICK_DEATHS = 5
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
HURRIED_SECONDS = 1.0
HOPELESS = frozenset({2, leash.CANNOT_START})
"""Exit codes that trying again will not change: it was called wrongly, or is no program."""
LOG_BYTES = 32 * 2**20
LOG_CHECK_SECONDS = 30.0


class Processes:
    """An async context manager around children; leaving it ends them, SIGTERM first, SIGKILL after `grace` seconds.

    When a child cannot be kept alive, or SIGINT, SIGTERM or SIGHUP arrives, the body is cancelled and ChildFailed or
    Interrupted comes out of the context, after the children were told to end. A second signal ends them at once.
    Signals are taken over in the main thread only. A child dies with its parent, even by `kill -9` (Linux).
    """

    def __init__(
        self,
        specs: Iterable[ChildSpec] = (),
        *,
        logs: Path,
        grace: float = 25.0,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        self.logs = logs
        self.grace = grace
        self._specs = list(specs)
        self._say = on_event or (lambda text: None)
        self._children: dict[str, Child] = {}
        self._trouble: Exception | None = None
        self._interrupted_body = False
        self._stopping = False
        self._hurry = asyncio.Event()
        self._previous: dict[int, Any] = {}
        self._log_keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        host = asyncio.current_task()
        assert host is not None
        self._host = host
        self._cancelling = host.cancelling()
        self._take_signals()
        self._log_keeper = asyncio.create_task(self._bound_logs())
        for spec in self._specs:
            self.start(spec)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        finally:
            self._return_signals()
        if self._interrupted_body and self._trouble is not None:
            ours = self._host.uncancel() <= self._cancelling
            if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
                raise self._trouble from None

    def start(self, spec: ChildSpec) -> None:
        """Start a child beside the others. Its output goes to `<name>.log`, an earlier one is moved aside."""
        if self._stopping:
            raise EmbeddedError(f"{spec.name} cannot start: everything is being stopped.")
        child = self._children[spec.name] = Child(spec, rotate(self.logs / f"{spec.name}.log"))
        child.keeper = asyncio.create_task(self._keep(child))
        child.keeper.add_done_callback(self._kept)

    def pid(self, name: str) -> int | None:
        """The process id of a child; None while it does not run."""
        return self._children[name].pid

    def log(self, name: str) -> Path:
        return self._children[name].log

    def restart_from_now(self, name: str) -> None:
        """For children that shall fail at once while they start and be kept alive later."""
        self._children[name].restart = True

    def respawn(self, spec: ChildSpec) -> None:
        """End the child of this name and start it with another specification."""
        child = self._children[spec.name]
        child.spec = spec
        child.signal(signal.SIGTERM)

    def fail(self, trouble: Exception) -> None:
        """Cancel the body; `trouble` comes out of the context. The first one counts."""
        if self._trouble is None and not self._stopping:
            self._trouble = trouble
            self._interrupted_body = True
            self._host.cancel()

    async def wait(self) -> None:
        """Until a signal arrives or a child cannot be kept: it ends by being cancelled."""
        await asyncio.get_running_loop().create_future()

    # Keeping them alive

    def _kept(self, keeper: asyncio.Task[None]) -> None:
        """A mistake of ours in a keeper must not look like a child that runs."""
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            self.fail(error if isinstance(error, Exception) else RuntimeError(repr(error)))

    async def _keep(self, child: Child) -> None:
        deaths = 0
        while not self._stopping:
            born = time.monotonic()
            try:
                child.process = await self._spawn(child)
            except OSError as error:
                self.fail(
                    ChildFailed(f"{child.spec.name} does not start: {error}", name=child.spec.name, log=child.log)
                )
                return
            if child.stopping:
                # It was told to end while it was being born.
                child.signal(signal.SIGTERM)
            code = await child.process.wait()
            if self._stopping:
                return
            deaths = deaths + 1 if time.monotonic() - born < QUICK_DEATH_SECONDS else 1
            if not child.restart or deaths >= QUICK_DEATHS or code in HOPELESS:
                self.fail(gave_up(child, code, deaths))
                return
            self._say(f"{child.spec.name} ended ({ending(code)}); starting it again")
            await asyncio.sleep(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (deaths - 1)))

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        argv = list(child.spec.argv)
        if sys.platform == "linux":
            argv = [sys.executable, "-I", "-S", str(leash.__file__), str(os.getpid()), "SIGTERM", *argv]
        handle = os.open(child.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                env=dict(child.spec.env),
                # A terminal's Ctrl-C is for us, who then end the children in order.
                process_group=0,
            )
        finally:
            os.close(handle)

    async def _bound_logs(self) -> None:
        """Keep each log from filling the disk; children append, so what is cut off leaves no hole."""
        while True:
            await asyncio.sleep(LOG_CHECK_SECONDS)
            for child in self._children.values():
                if child.log.exists() and child.log.stat().st_size > LOG_BYTES:
                    older = child.log.with_name(f"{child.log.name}.1")
                    older.write_text(last_lines(child.log, 10_000, LOG_BYTES // 2), "utf-8")
                    os.truncate(child.log, 0)

    # Ending them

    async def stop(self) -> None:
        """End the children, in order. Being cancelled makes it hurry, and it still ends them all."""
        task = asyncio.create_task(self._stop())
        cancelled = False
        with anyio.CancelScope(shield=True):
            while not task.done():
                try:
                    await asyncio.shield(task)
                except asyncio.CancelledError:
                    cancelled = True
                    self._hurry.set()
        task.result()
        if cancelled:
            raise asyncio.CancelledError

    async def _stop(self) -> None:
        self._stopping = True
        if self._log_keeper is not None:
            self._log_keeper.cancel()
        children = list(self._children.values())
        await self._end([child for child in children if not child.spec.stop_last])
        await self._end([child for child in children if child.spec.stop_last])
        self._children.clear()

    async def _end(self, children: list[Child]) -> None:
        """SIGTERM, patience, SIGKILL."""
        for child in children:
            child.stopping = True
            child.signal(signal.SIGTERM)
            if child.keeper is not None and child.process is not None and child.pid is None:
                # Between two lives, or given up: there is nothing to wait for.
                child.keeper.cancel()
        keepers = {child.keeper for child in children if child.keeper is not None}
        hurry = asyncio.create_task(self._hurry.wait())
        try:
            running = await _patiently(keepers, hurry, self.grace)
            if running and hurry.done():
                for child in children:
                    child.signal(signal.SIGTERM)
                running = await _patiently(running, None, HURRIED_SECONDS)
            for child in children:
                child.signal(signal.SIGKILL)
            if running:
                await asyncio.wait(running)
        finally:
            hurry.cancel()

    # Signals

    def _take_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            previous = signal.getsignal(number)
            if previous in (signal.SIG_IGN, None):
                # Ignored on purpose (nohup), or in the hands of somebody who is not Python.
                continue
            self._previous[number] = previous
            loop.add_signal_handler(number, self._signalled, number)

    def _return_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number, previous in self._previous.items():
            loop.remove_signal_handler(number)
            signal.signal(number, previous)
        self._previous.clear()

    def _signalled(self, number: int) -> None:
        """The first one drains, the second one stops."""
        if self._trouble is not None or self._stopping:
            self._hurry.set()
        else:
            self.fail(Interrupted(number))


async def _patiently(
    running: set[asyncio.Task[None]], hurry: asyncio.Task[Any] | None, seconds: float
) -> set[asyncio.Task[None]]:
    """Wait for tasks up to so many seconds, or until `hurry` is done; what is left."""
    deadline = time.monotonic() + seconds
    while running and (left := deadline - time.monotonic()) > 0 and not (hurry is not None and hurry.done()):
        waited: set[asyncio.Task[Any]] = {*running, *([hurry] if hurry else [])}
        await asyncio.wait(waited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        running = {task for task in running if not task.done()}
    return running
