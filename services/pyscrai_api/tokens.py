"""Tokens of engines and of people: how they are made, and whose a token is. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from uuid import UUID

from pyscrai_api.access import Caller
from pyscrai_api.database import Pool
from pyscrai_api.ids import new_token

ENGINE = re.compile(r"^pye_([0-9a-f]{32})_[A-Za-z0-9_-]{20,100}$")
USER = re.compile(r"^pyu_[A-Za-z0-9_-]{20,100}$")
REMEMBERED = 4096


def engine_token(engine_id: UUID) -> tuple[str, str]:
    """A new token for an engine, and the hash of it that is stored. The token says whose it is: no search is needed."""
    token = f"pye_{engine_id.hex}_{new_token()}"
    return token, token_hash(token)


def user_token() -> tuple[str, str]:
    """A new token for a person, and the hash of it that is stored."""
    token = f"pyu_{new_token()}"
    return token, token_hash(token)


def token_hash(token: str) -> str:
    """What is stored of a token. The tokens are random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


class Tokens:
    """Tokens as the database has them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        # An engine's token never changes, and an engine that is gone is told so by every route that is its own.
        self._engines: OrderedDict[str, Caller] = OrderedDict()

    async def find(self, token: str) -> Caller | None:
        """Whose token it is; None for one that is nobody's (any more)."""
        match = ENGINE.match(token)
        if match is not None:
            return await self._engine(token, match[1])
        return await self._user(token) if USER.match(token) else None

    async def _user(self, token: str) -> Caller | None:
        # Looked up each time: whoever is removed is out at once, in every process.
        name = await self._pool.fetchval("SELECT name FROM users WHERE token_hash = $1", token_hash(token))
        return None if name is None else Caller(kind="user", owner=name)

    async def _engine(self, token: str, hexadecimal: str) -> Caller | None:
        hashed = token_hash(token)
        known = self._engines.get(hashed)
        if known is not None:
            self._engines.move_to_end(hashed)
            return known
        engine_id = UUID(hexadecimal)
        row = await self._pool.fetchrow("SELECT token_hash, owner FROM engines WHERE id = $1", engine_id)
        if row is None or not hmac.compare_digest(row["token_hash"], hashed):
            return None
        found = Caller(kind="engine", owner=row["owner"], engine_id=engine_id)
        self._engines[hashed] = found
        if len(self._engines) > REMEMBERED:
            self._engines.popitem(last=False)
        return found
