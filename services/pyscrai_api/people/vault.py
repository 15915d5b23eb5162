"""Encryption of what is kept for people, with secrets that the database never sees.

A sealed text is: one byte of version, 16 bytes of salt, 12 of nonce, AES-256-GCM. What it belongs to (owner, place) is
bound in, so that a row that was copied to another owner does not open.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from pyscrai_api.people.errors import BadSecret, CannotOpen

VERSION = b"\x01"
SALT, NONCE, TAG = 16, 12, 16
KEY_BYTES = 32
SHORTEST_PASSPHRASE = 16
_PURPOSE = b"pyscrai people's keys"


class Secret:
    """One of the installation's secrets: 32 random bytes or more as base64, else a passphrase."""

    def __init__(self, text: str) -> None:
        self._raw = _random_bytes(text)
        if self._raw is None and len(text) < SHORTEST_PASSPHRASE:
            raise BadSecret(f"a passphrase has {SHORTEST_PASSPHRASE} characters or more")
        self._passphrase = text.encode()
        # A passphrase takes a tenth of a second to stretch: not at every claim.
        self._stretched = lru_cache(maxsize=64)(self._derive)

    def cipher(self, salt: bytes) -> AESGCM:
        """The cipher under this salt."""
        return AESGCM(self._stretched(salt))

    def _derive(self, salt: bytes) -> bytes:
        if self._raw is not None:
            return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=_PURPOSE).derive(self._raw)
        return Scrypt(salt=salt + _PURPOSE, length=KEY_BYTES, n=2**15, r=8, p=1).derive(self._passphrase)


class Vault:
    """Seals with the first secret, opens with whichever fits."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        if not secrets:
            raise ValueError("a vault needs a secret")
        self._secrets = tuple(secrets)
        self._salt = os.urandom(SALT)

    def seal(self, text: str, owner: str, place: str) -> bytes:
        """The text, for nobody but this owner and place."""
        nonce = os.urandom(NONCE)
        cipher = self._secrets[0].cipher(self._salt)
        return VERSION + self._salt + nonce + cipher.encrypt(nonce, text.encode(), _bound(owner, place))

    def open(self, sealed: bytes, owner: str, place: str) -> str:
        """The text again. Raises CannotOpen."""
        return self._open(sealed, owner, place)[0]

    def is_old(self, sealed: bytes, owner: str, place: str) -> bool:
        """Whether only a later secret than the first opens it. Raises CannotOpen."""
        return self._open(sealed, owner, place)[1] > 0

    def _open(self, sealed: bytes, owner: str, place: str) -> tuple[str, int]:
        head = len(VERSION) + SALT
        if sealed[:1] != VERSION or len(sealed) < head + NONCE + TAG:
            raise CannotOpen
        salt, nonce, body = sealed[1:head], sealed[head : head + NONCE], sealed[head + NONCE :]
        for number, secret in enumerate(self._secrets):
            try:
                return secret.cipher(salt).decrypt(nonce, body, _bound(owner, place)).decode(), number
            except InvalidTag:
                continue
        raise CannotOpen


def read_secrets(text: str) -> list[Secret]:
    """The secrets that a setting lists, with commas between. Raises BadSecret."""
    return [Secret(part) for item in text.split(",") if (part := item.strip())]


def new_secret() -> str:
    """A secret of 32 random bytes, as text."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _bound(owner: str, place: str) -> bytes:
    return f"{owner}\0{place}".encode()


def _random_bytes(text: str) -> bytes | None:
    """What the base64 (either alphabet) says, where that is enough to be random bytes; else None."""
    try:
        raw = base64.b64decode(text.translate(str.maketrans("-_", "+/")) + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) >= KEY_BYTES else None
