"""Secrets that a test plants, and the search for them in whatever a system has left behind."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

BEGINNING = 20
"""Characters of a secret that are too many already."""


def plant(shape: str = "") -> str:
    """A secret that stands nowhere by chance, in the shape of a provider's keys or in none."""
    return f"{shape}{secrets.token_hex(20)}"


@dataclass
class Search:
    """Looks for secrets, also in part and in another spelling; remembers where each was found."""

    secrets: Mapping[str, str]
    found: list[str] = field(default_factory=list)
    looked: int = 0

    def __post_init__(self) -> None:
        self._needles = [(name, needle) for name, secret in self.secrets.items() for needle in spellings(secret)]

    def look(self, place: str, content: bytes | str) -> None:
        """Search one thing. `place` says what it is, for who has to mend it."""
        raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        self.looked += 1
        for name, needle in self._needles:
            at = raw.find(needle)
            if at >= 0:
                around = raw[max(0, at - 60) : at + 20].decode("utf-8", "replace")
                self.found.append(f"{name} in {place}: …{around}…")

    def files(self, folder: Path, *, but: Iterable[Path] = ()) -> None:
        """Every file below a folder, and its name; not those where a secret has to be."""
        left_out = {path.resolve() for path in but}
        for path in sorted(folder.rglob("*")):
            self.look("the name of a file", str(path))
            if path.is_file() and not path.is_symlink() and path.resolve() not in left_out:
                self.look(str(path), path.read_bytes())

    def nothing(self) -> None:
        """Raises AssertionError with every place where something was found."""
        assert not self.found, "\n".join(sorted(set(self.found)))


def spellings(secret: str) -> list[bytes]:
    """A secret as logs, tables and addresses spell it; its beginning is as good as the whole."""
    start = secret[:BEGINNING]
    plain = start.encode()
    inside = base64.b64encode(secret.encode())[: BEGINNING // 3 * 4]
    found = {plain, plain.hex().encode(), inside, quote(start, safe="").encode(), json.dumps(start)[1:-1].encode()}
    return sorted(found)


def command_lines() -> dict[int, bytes]:
    """What every process that can be seen was called with, as `ps` shows it."""
    return _of_processes("cmdline")


def environments() -> dict[int, bytes]:
    """The environment that every process that can be seen was given."""
    return _of_processes("environ")


def _of_processes(what: str) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = (folder / what).read_bytes()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it has ended, or is another user's
    return found
