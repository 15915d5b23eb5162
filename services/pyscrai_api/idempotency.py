"""Idempotency-Key: the same request sent twice is done once and answered twice.

The answer is stored in the very transaction that does the work. A duplicate that comes while the first is at it waits
on the unique index; if the first fails, nothing is stored and the duplicate does the work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from pyscrai.domain.canonical import sha256
from pyscrai_api.database import Connection
from pyscrai_api.errors import Conflict, IdempotencyMismatch, Invalid

LONGEST_KEY = 255
WAIT = "SET LOCAL lock_timeout = '5s'"
WAIT_NO_MORE = "SET LOCAL lock_timeout = 0"

BEGIN = """
INSERT INTO idempotency (owner, route, key, body_hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (owner, route, key) DO UPDATE
   SET body_hash = excluded.body_hash, status = NULL, answer = NULL, created_at = now()
 WHERE idempotency.created_at < now() - interval '24 hours'
RETURNING true
"""
FIND = "SELECT body_hash, status, answer FROM idempotency WHERE owner = $1 AND route = $2 AND key = $3"
STORE = "UPDATE idempotency SET status = $4, answer = $5 WHERE owner = $1 AND route = $2 AND key = $3"
PRUNE = """
DELETE FROM idempotency WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM idempotency WHERE created_at < now() - interval '24 hours'
    ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED))
"""
"""By the place of the locked row, never by a join: for one the planner reads the table whole."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A JSON answer that can be stored. `replayed`: it was given before, and nothing was done now."""

    status: int
    body: str
    replayed: bool = False

    def response(self) -> Response:
        headers = {"Idempotency-Replayed": "true"} if self.replayed else None
        return Response(self.body, status_code=self.status, headers=headers, media_type="application/json")


@dataclass(frozen=True, kw_only=True)
class Key:
    """What names a request that may be repeated."""

    owner: str
    route: str
    key: str
    body_hash: str


def key_of(request: Request, *, owner: str, route: str, body: bytes) -> Key | None:
    """The request's key, or None where it sends none. Raises Invalid for one that is empty or too long."""
    text = request.headers.get("idempotency-key")
    if text is None:
        return None
    if not 1 <= len(text) <= LONGEST_KEY:
        raise Invalid(f"an Idempotency-Key has 1 to {LONGEST_KEY} characters")
    return Key(owner=owner, route=route, key=text, body_hash=sha256(body.decode("utf-8", "replace")))


async def once(connection: Connection, key: Key | None, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """Do the work, or give the answer that was given before.

    `connection` is inside the transaction in which `work` makes its changes; the caller commits it, and does what must
    follow a commit only if the answer is not `replayed`. Only answers that `work` returns are stored: what it raises
    rolls the transaction back. Raises IdempotencyMismatch (422) for the same key with another body, and Conflict (409)
    if the first request is still at work after five seconds.
    """
    if key is None:
        return await work()
    place = (key.owner, key.route, key.key)
    await connection.execute(WAIT)
    try:
        mine = await connection.fetchval(BEGIN, *place, key.body_hash)
    except asyncpg.LockNotAvailableError:
        raise Conflict("a request with this Idempotency-Key is still being worked on") from None
    await connection.execute(WAIT_NO_MORE)
    if mine is None:
        return _repeat(await connection.fetchrow(FIND, *place), key)
    answer = await work()
    await connection.execute(STORE, *place, answer.status, answer.body)
    return answer


def _repeat(row: Any, key: Key) -> Answer:
    if row is not None and row["body_hash"] != key.body_hash:
        raise IdempotencyMismatch("this key came with another body before; use a new key for a new request")
    if row is None or row["status"] is None:
        raise Conflict(
            "a request with this Idempotency-Key is being worked on, or was cut off: look before you repeat it"
        )
    return Answer(status=row["status"], body=row["answer"], replayed=True)


async def prune(connection: Connection, limit: int) -> int:
    """Forget up to `limit` answers that are older than a day; returns how many."""
    return int((await connection.execute(PRUNE, limit)).split()[-1])
