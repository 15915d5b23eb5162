"""The names of the embedded database's files inside the data folder."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from pyscrai.machine.files import read_json

SYSTEM_HOME = Path("/var/lib/pyscrai")


@dataclass(frozen=True)
class State:
    """What the supervisor tells the commands. There is no secret in it."""

    port: int
    version: str
    supervisor: int
    server: int
    data: str


@dataclass(frozen=True)
class Folder:
    """The names inside a data folder."""

    path: Path

    @property
    def commands_lock(self) -> Path:
        """Held shared by every command that uses the database; the supervisor tries to have it exclusively."""
        return self.path / "postgres.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held exclusively by the one supervisor; holds its process id."""
        return self.path / "postgres.supervisor"

    @property
    def state_file(self) -> Path:
        return self.path / "postgres.json"

    @property
    def password_file(self) -> Path:
        return self.path / "postgres.password"

    @property
    def port_file(self) -> Path:
        return self.path / "postgres.port"

    @property
    def api_file(self) -> Path:
        return self.path / "api.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def fingerprint(self) -> str:
        """A short name of this folder that is the same for every spelling of its path."""
        return hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:16]

    def state(self) -> State | None:
        """The state file's content; None where there is none. It may be stale: see the supervisor's lock."""
        found = read_json(self.state_file)
        if found is None:
            return None
        try:
            return State(**found)
        except TypeError:
            # Another version of PyScrAI wrote it; its supervisor, if alive, will be found by its lock.
            return None

    def password(self) -> str | None:
        try:
            return self.password_file.read_text("utf-8").strip() or None
        except FileNotFoundError:
            return None
