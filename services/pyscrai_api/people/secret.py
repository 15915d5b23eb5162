"""Where the installation's secret is: in the setting, else in a file of the data folder, made when it is first needed.

The file is for an installation on one machine. Several API processes on several machines share the setting.
"""

from __future__ import annotations

import os
import secrets as randomness
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pyscrai_api.errors import Conflict
from pyscrai_api.people.errors import BadSecret
from pyscrai_api.settings import Settings

if TYPE_CHECKING:
    from pyscrai_api.people.vault import Secret, Vault

FILE = "secret"
HOW = (
    "set PYSCRAI_SECRET for the API to 32 random bytes as base64 (openssl rand -base64 32), "
    "the same for each of its processes"
)


class SecretPlace:
    """The vault of this process, opened when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._secrets = _read(settings.secret)
        self._file = None if settings.data is None else settings.data / FILE
        self._vault: Vault | None = None

    @property
    def several(self) -> bool:
        """Whether there may be keys under a former secret."""
        return len(self._secrets) > 1 or (bool(self._secrets) and self._file is not None and self._file.exists())

    def vault(self, *, make: bool = False) -> Vault:
        """The vault; with `make`, a secret is made where there is none. Does I/O. Raises Conflict without a secret."""
        if self._vault is None:
            found = [*self._secrets, *self._filed()]
            if not found and make and self._file is not None:
                found = [_secret(self._file, _create(self._file))]
            if not found:
                raise Conflict(f"this installation has no secret to encrypt keys with: {HOW}")
            self._vault = _vault(found)
        return self._vault

    def _filed(self) -> list[Secret]:
        """What the file holds: also beside a setting that has taken its place since."""
        if self._file is None or not self._file.exists():
            return []
        if os.name == "posix" and stat.S_IMODE(self._file.stat().st_mode) & 0o077:
            raise Conflict(f"others can read the secret in {self._file}: chmod 600 it, and consider the keys known")
        return [_secret(self._file, self._file.read_text("utf-8").strip())]


def _read(setting: str | None) -> list[Secret]:
    """Raises BadSecret."""
    if not setting:
        return []
    from pyscrai_api.people.vault import read_secrets

    return read_secrets(setting)


def _vault(secrets: list[Secret]) -> Vault:
    from pyscrai_api.people.vault import Vault

    return Vault(secrets)


def _secret(file: Path, text: str) -> Secret:
    # Imported where it is needed: most installations keep no keys, and the library takes a while to load.
    from pyscrai_api.people.vault import Secret

    try:
        return Secret(text)
    except BadSecret as error:
        raise Conflict(f"the secret in {file} cannot be used: {error}") from None


def _create(file: Path) -> str:
    """Make the file whole or not at all; of two that do it at once, both have the secret of the first."""
    from pyscrai_api.people.vault import new_secret

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{randomness.token_hex(4)}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(new_secret())
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(new, file)
        except FileExistsError:
            return file.read_text("utf-8").strip()
        return new.read_text("utf-8")
    finally:
        new.unlink()
