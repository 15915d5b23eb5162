"""Who the server runs as. PostgreSQL refuses to run as root, so root lends it another account."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyscrai.embedded.errors import EmbeddedError


@dataclass(frozen=True)
class Account:
    """A user of the machine, by its numbers."""

    name: str
    uid: int
    gid: int

    def popen(self) -> dict[str, Any]:
        """Arguments that make `subprocess` start a program as this user, with no other group."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account() -> Account | None:
    """None for ordinary users (the server runs as them); for root `postgres` if there is one, else `nobody`."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and this machine has neither a user postgres nor nobody. "
        "Run PyScrAI as an ordinary user, or set PYSCRAI_DATABASE_URL."
    )


def anyone_can_read(path: Path) -> bool:
    """Whether every user of the machine can reach and read this file: others' bits on it and all its parents."""
    try:
        path = path.resolve(strict=True)
        folders_open = all(parent.stat().st_mode & 0o001 for parent in path.parents)
        return folders_open and bool(path.stat().st_mode & 0o004)
    except PermissionError:
        return False
