"""People with tokens of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from pyscrai.contract.people import AddedUser, User
from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.catalog.store import BUILT_IN
from pyscrai_api.database import Pool
from pyscrai_api.errors import Conflict, NotFound
from pyscrai_api.tokens import user_token

TAKEN = frozenset({LOCAL_OWNER, BUILT_IN, "own", "me"})
"""Names that mean something else; `own-…` are the pools of `pyscrai run`."""

# A pool of this name that is in use already would become the new person's.
_POOL_IN_USE = """
SELECT EXISTS (SELECT 1 FROM runs WHERE pool IS NOT NULL AND (pool = $1 OR pool LIKE $1 || '-%') AND owner <> $1
                 AND ended_at IS NULL)
    OR EXISTS (SELECT 1 FROM engines WHERE (pool = $1 OR pool LIKE $1 || '-%') AND owner <> $1 AND status <> 'gone')
"""
_ADD = "INSERT INTO users (name, token_hash, created_by) VALUES ($1, $2, $3) RETURNING name, created_by, created_at"
_PAGE = "SELECT name, created_by, created_at FROM users ORDER BY name"
_ONE = "SELECT name, created_by, created_at FROM users WHERE name = $1"
_REMOVE = "DELETE FROM users WHERE name = $1 RETURNING name"
_REMOVE_KEYS = "DELETE FROM model_keys WHERE owner = $1"
_STOP_ENGINES = (
    "UPDATE engines SET status = 'gone', current_workload = 0 WHERE owner = $1 AND status <> 'gone' RETURNING id"
)
_UNDER_WAY = """
SELECT id, status = 'pending' AND step = 0 AS unbegun FROM runs
WHERE owner = $1 AND status IN ('pending', 'running', 'waiting') ORDER BY status, id
"""


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """A run that would go on by itself; one that is `unbegun` only waits for a place to begin."""

    id: UUID
    unbegun: bool


class Users:
    """The people of the installation."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, name: str, by: str) -> AddedUser:
        """A new person and their token, which is not shown again. Raises Conflict for a name that is taken."""
        if name in TAKEN:
            raise Conflict(f"{name!r} means something else here; choose another name")
        if await self._pool.fetchval(_POOL_IN_USE, name):
            raise Conflict(f"others use a pool called {name!r} or {name}-…, which would become {name}'s")
        token, hashed = user_token()
        try:
            row = await self._pool.fetchrow(_ADD, name, hashed, by)
        except asyncpg.UniqueViolationError:
            raise Conflict(f"there is a user {name!r} already") from None
        return AddedUser(**_shown(row).model_dump(), token=token)

    async def all(self) -> list[User]:
        """Everybody, by name."""
        return [_shown(row) for row in await self._pool.fetch(_PAGE)]

    async def under_way(self, name: str) -> Sequence[UnderWay]:
        """What somebody has left running, first what has not begun."""
        rows = await self._pool.fetch(_UNDER_WAY, name)
        return [UnderWay(id=row["id"], unbegun=row["unbegun"]) for row in rows]

    async def get(self, name: str) -> User:
        """One of them. Raises NotFound."""
        row = await self._pool.fetchrow(_ONE, name)
        if row is None:
            raise _unknown(name)
        return _shown(row)

    async def remove(self, name: str) -> list[UUID]:
        """The token is good for nothing from now on, the keys are gone, the engines are told to stop; returns which.

        What they made stays, and is theirs again should the name be added again. Raises NotFound.
        """
        async with self._pool.acquire() as conn, conn.transaction():
            if await conn.fetchval(_REMOVE, name) is None:
                raise _unknown(name)
            await conn.execute(_REMOVE_KEYS, name)
            return [row["id"] for row in await conn.fetch(_STOP_ENGINES, name)]


def _shown(row: Any) -> User:
    return User(name=row["name"], created_by=row["created_by"], created_at=row["created_at"].isoformat())


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no user {name[:60]!r}")
