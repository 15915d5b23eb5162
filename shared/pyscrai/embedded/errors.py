"""The errors of this package.

MachineError
└── EmbeddedError       the database or a process could not be started or kept running
    └── ChildFailed     a child process kept dying; its log says why
"""

from __future__ import annotations

from pathlib import Path

from pyscrai.machine.errors import MachineError


class EmbeddedError(MachineError):
    """The database or a process could not be started; the message says what happened and what to do."""


class ChildFailed(EmbeddedError):
    """A child process kept dying. `name` is the child, `log` the file with what it said."""

    def __init__(self, message: str, *, name: str, log: Path) -> None:
        super().__init__(message)
        self.name = name
        self.log = log


class Interrupted(Exception):
    """SIGINT or SIGTERM arrived; what was going on has been cancelled. `signum` is the signal."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by signal {signum}")
        self.signum = signum
