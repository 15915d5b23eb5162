"""Keys of model providers: from the environment, else from the file of NAME=VALUE lines that PYSCRAI_KEYS names.

They are looked up for each question. Nothing keeps them but the HTTP client that shows them to their own server.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from pyscrai.llm.errors import MissingKey

FILE = "PYSCRAI_KEYS"
HIDDEN = "[key]"
_log = logging.getLogger("pyscrai.llm")


def find_key(variable: str, environ: Mapping[str, str]) -> str:
    """The key called `variable`, or an empty text. Raises MissingKey where the file cannot be used."""
    return environ.get(variable, "").strip() or _in_file(environ).get(variable, "")


def keys_in_file(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Every key of the file; none where it cannot be used, which is told to whom looks for a key in it."""
    try:
        return tuple(_in_file(environ).values())
    except MissingKey:
        return ()


def missing(model: str, variable: str, environ: Mapping[str, str], instead: str = "") -> MissingKey:
    """What to tell a person whose key is nowhere; `instead` is another way to reach the same model."""
    file = environ.get(FILE)
    where = f"nor in {file} ({FILE})" if file else f"and no file of keys is named by {FILE}"
    return MissingKey(
        f"{model}: {variable} is not set in the environment of the engines, {where}. Set it{instead}, or use rehearsal."
    )


def hide(text: str, key: str) -> str:
    """`text` without the key, should somebody have repeated it."""
    return text.replace(key, HIDDEN) if len(key) >= 8 else text


def _in_file(environ: Mapping[str, str]) -> Mapping[str, str]:
    named = environ.get(FILE)
    if not named:
        return {}
    path = Path(named).expanduser()
    try:
        status = path.stat()
        return _read(path, status.st_mtime_ns, status.st_size, stat.S_IMODE(status.st_mode))
    except OSError as error:
        raise MissingKey(f"the keys in {path} ({FILE}) cannot be read: {error.strerror}") from None


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, _size: int, mode: int) -> Mapping[str, str]:
    """Read again when the file changed. What is wrong with it is said by line number: a line may be a key."""
    if os.name == "posix" and mode & 0o077:
        _log.warning("others can read the keys in %s (mode %04o): chmod 600 %s", path, mode, path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise MissingKey(f"the keys in {path} ({FILE}) cannot be read: it is not a text in UTF-8") from None
    keys: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise MissingKey(f"the keys in {path} ({FILE}) cannot be used: line {number} is not NAME=VALUE")
        keys[name.strip()] = _unquoted(value.strip())
    return keys


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
