"""The data folder: where an installation on one machine keeps its files."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyscrai.embedded.errors import EmbeddedError

SYSTEM_HOME = Path("/var/lib/pyscrai")


def data_home() -> Path:
    """The user's data folder: PYSCRAI_DATA, else the platform's usual place. Created with mode 0700."""
    setting = os.environ.get("PYSCRAI_DATA")
    if setting:
        path = Path(setting).expanduser()
    else:
        import platformdirs

        path = Path(platformdirs.user_data_dir("pyscrai", appauthor=False))
    return private_folder(path)


def private_folder(path: Path) -> Path:
    """Create a folder that only its owner enters; an existing one keeps its mode. Absolute path returned.

    Raises EmbeddedError where it cannot be created or written.
    """
    path = path.absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {path} cannot be created: {error.strerror}. Choose another with PYSCRAI_DATA."
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise EmbeddedError(f"The data folder {path} cannot be written by this user. Choose another with PYSCRAI_DATA.")
    return path


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only the owner can read it, and never for a moment anybody else."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None where there is no file or it is not an object."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def rotate(log: Path, keep: int = 2) -> Path:
    """Move a log aside (`.1`, `.2`, the oldest goes) so that a new one starts empty."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(keep, 0, -1):
        older = log if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
    return log


def last_lines(log: Path, count: int = 10, limit: int = 16_384) -> str:
    """The end of a log, for a message; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - limit))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.strip().splitlines()[-count:])


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
