"""The world's processes: each is started again as soon as it has ended, however it ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from tests.chaos.ledger import Death, Ledger

from pyscrai.embedded import leash
from pyscrai.embedded.child import ending
from pyscrai.machine.files import last_lines

Kind = Literal["api", "engine", "real_engine"]
ROOT = Path(__file__).parent.parent.parent
LONGEST_PAUSE = 1.0
REFUSED = ("pyscrai_api: ",)
"""How a service begins the last line in which it says why it cannot start."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A program to keep alive. `env` is its whole environment; its standard error goes to `log`."""

    name: str
    kind: Kind
    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    log: Path


@dataclass(eq=False)
class Member:
    """One of the processes. `busy`: a fault is at it, so that no second one comes between."""

    spec: Spec
    process: subprocess.Popen[bytes] | None = None
    born: float = 0.0
    frozen: bool = False
    busy: bool = False
    doomed: bool = False
    quick_deaths: int = 0
    starts: int = 0

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.returncode is None else None

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.born

    def freeze(self) -> bool:
        """Stop it where it stands; False where it has ended."""
        self.frozen = self._signal(signal.SIGSTOP)
        return self.frozen

    def thaw(self) -> None:
        """Let it go on."""
        self.frozen = False
        self._signal(signal.SIGCONT)

    def disturb(self) -> bool:
        """Have it run what its wrapper does at SIGUSR1; False where it is not ready for that, which would end it."""
        pid = self.pid
        return pid is not None and _catches(pid, signal.SIGUSR1) and self._signal(signal.SIGUSR1)

    def kill(self) -> None:
        """kill -9, also of a frozen one."""
        self.doomed = True
        self.frozen = False
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> bool:
        pid = self.pid
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False


class Roster:
    """An async context manager around all members; leaving it kills them.

    They die with the harness, even by `kill -9` (a leash), which is why it must be entered in the main thread.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._members: list[Member] = []
        self._keepers: set[asyncio.Task[None]] = set()
        self._ending = False

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members)

    def of(self, *kinds: Kind) -> list[Member]:
        """Those of these kinds that live and that no fault is at."""
        return [m for m in self._members if m.spec.kind in kinds and m.pid is not None and not m.busy and not m.doomed]

    def add(self, spec: Spec) -> Member:
        """Start it, and keep it alive."""
        member = Member(spec)
        self._members.append(member)
        keeper = asyncio.create_task(self._keep(member), name=spec.name)
        self._keepers.add(keeper)
        return member

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending = True
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers)
        for member in self._members:
            if member.process is not None:
                member.kill()
                member.process.wait()
        for keeper in self._keepers:
            if not keeper.cancelled() and (error := keeper.exception()) is not None:
                raise error

    async def _keep(self, member: Member) -> None:
        while not self._ending:
            member.doomed = member.frozen = False
            member.born = time.monotonic()
            member.starts += 1
            member.process = start(member.spec)
            await ended(member.process)
            self._note(member)
            await asyncio.sleep(min(LONGEST_PAUSE, 0.02 * 2.0**member.quick_deaths))

    def _note(self, member: Member) -> None:
        code = member.process.returncode if member.process is not None else None
        if code is None or member.doomed:
            member.quick_deaths = 0
            return
        member.quick_deaths = member.quick_deaths + 1 if member.age < 10 else 0
        words = last_lines(member.spec.log, 30)
        refused = code == 1 and words.rpartition("\n")[2].startswith(REFUSED)
        self._ledger.deaths.append(
            Death(at=self._ledger.now, name=member.name, ending=ending(code), last_words=words[-2000:], refused=refused)
        )


def start(spec: Spec) -> subprocess.Popen[bytes]:
    """On a leash: it dies with the thread that calls this."""
    on_leash = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), "SIGKILL", *spec.argv]
    with open(spec.log, "ab") as log:
        return subprocess.Popen(
            on_leash, env=dict(spec.env), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


async def ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for its end, and reap it."""
    loop, seen = asyncio.get_running_loop(), asyncio.Event()
    handle = os.pidfd_open(process.pid)
    loop.add_reader(handle, seen.set)
    try:
        await seen.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    process.wait()


def _catches(pid: int, number: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
