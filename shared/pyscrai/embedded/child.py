"""One child process: what it shall be, what it is, and how it ended."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyscrai.embedded.errors import ChildFailed
from pyscrai.machine.files import last_lines


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """A program to run. `env` is its whole environment: secrets go there, never into `argv`, which anyone can read.

    `restart`: start it again when it ends. `stop_last`: at the end, stop it after those that are not.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    restart: bool = True
    stop_last: bool = False


class Child:
    """A child and the task that keeps it."""

    def __init__(self, spec: ChildSpec, log: Path) -> None:
        self.spec = spec
        self.log = log
        self.restart = spec.restart
        self.process: asyncio.subprocess.Process | None = None
        self.keeper: asyncio.Task[None] | None = None
        self.stopping = False

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.returncode is None else None

    def signal(self, number: int) -> None:
        """To its whole process group, while its leader lives."""
        pid = self.pid
        if pid is None:
            return
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            # It ended, and its keeper has not been told yet.
            return


def ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def gave_up(child: Child, code: int, deaths: int) -> ChildFailed:
    """Why a child is not started again: in its own words, where it ended with a message for people."""
    if reason := _last_words(child):
        return ChildFailed(f"{reason}\n  (log: {child.log})", name=child.spec.name, log=child.log)
    times = f"{deaths} times in a row, the last time with {ending(code)}" if deaths > 1 else f"with {ending(code)}"
    said = "".join(f"\n  {line}" for line in last_lines(child.log).splitlines()) or "\n  (nothing)"
    return ChildFailed(
        f"{child.spec.name} ended {times}. The last lines of {child.log}:{said}", name=child.spec.name, log=child.log
    )


def _last_words(child: Child) -> str:
    """Our services say what keeps them from starting in one last line behind their own name."""
    said = last_lines(child.log, 1)
    name, colon, reason = said.partition(": ")
    return reason.strip() if colon and name.startswith("pyscrai_") and name.isidentifier() else ""
