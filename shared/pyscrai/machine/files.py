"""Files of the data folder, where an installation on one machine keeps what it has to remember."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from pyscrai.machine.errors import MachineError


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

    Raises MachineError where it cannot be created or written.
    """
    path = path.absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(
            f"The data folder {path} cannot be created: {error.strerror}. Choose another with PYSCRAI_DATA."
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise MachineError(f"The data folder {path} cannot be written by this user. Choose another with PYSCRAI_DATA.")
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
