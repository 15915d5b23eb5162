"""What is read of the database. A role need not be a superuser; what it may not see is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from pyscrai_api.database import Connection, Pool
from pyscrai_api.queue.statements import sql

HOT = ("queue", "events", "outcomes", "attempts", "runs", "entries", "calls", "engines", "budgets", "purses")
"""Tables that are written all the time."""

NOT_LONG = "SET LOCAL lock_timeout = '1s'"
"""Whoever asks what waits for locks does not want to wait for them."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """`vacuumed`: seconds since; None: never. `expected`: bytes that its rows need."""

    name: str
    live: int
    dead: int
    bytes: int
    vacuumed: float | None
    autovacuum: bool
    vacuuming: bool
    expected: float


@dataclass(frozen=True, kw_only=True)
class Index:
    name: str
    bytes: int
    expected: float


@dataclass(frozen=True, kw_only=True)
class Server:
    """`oldest_xid`: age of the oldest transaction number that is not frozen. `sees_all`: whether the role may read
    everybody's statistics."""

    autovacuum: bool
    connections: int
    connections_most: int
    oldest_xid: int
    freeze_age: int
    sees_all: bool


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """`xids`: how many transactions have begun since its snapshot; None: it holds none."""

    pid: int
    application: str
    role: str | None
    state: str | None
    seconds: float
    xids: int | None


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Something else that keeps dead rows. `seconds`: where it is known since when."""

    name: str
    xids: int
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that was read; None where the database refused. `hidden`: what it does not show, in words."""

    tables: Sequence[Table] | None = None
    indexes: Sequence[Index] | None = None
    server: Server | None = None
    transactions: Sequence[Transaction] = ()
    holders: Sequence[Holder] = ()
    waiting: int = 0
    waiting_seconds: float = 0.0
    leased: int = 0
    overdue: int = 0
    near: int = 0
    engines: int = 0
    silent: int = 0
    hidden: Sequence[str] = field(default_factory=tuple)


async def read(pool: Pool) -> Facts:
    """Look at everything once."""
    hidden: list[str] = []
    async with pool.acquire() as conn:
        tables = await _rows(conn, hidden, "tables", "sizes and rows of tables", list(HOT))
        indexes = await _rows(conn, hidden, "indexes", "sizes of indexes", list(HOT))
        server = await _rows(conn, hidden, "server", "settings of the server")
        transactions = await _rows(conn, hidden, "transactions", "open transactions")
        holders = await _rows(conn, hidden, "holders", "replication slots and prepared transactions")
        locks = await _rows(conn, hidden, "locks", "locks")
        veiled = await _rows(conn, hidden, "hidden", "sessions")
        leases = await _rows(conn, hidden, "leases", "leases")
        beats = await _rows(conn, hidden, "heartbeats", "heartbeats")
    known = Server(**dict(server[0])) if server else None
    if veiled and veiled[0]["count"] and not (known and known.sees_all):
        hidden.append(
            f"transactions of {veiled[0]['count']} sessions of other roles: GRANT pg_read_all_stats to the API's role"
        )
    return Facts(
        tables=None if tables is None else [Table(**dict(row)) for row in tables],
        indexes=None if indexes is None else [Index(**dict(row)) for row in indexes],
        server=known,
        transactions=[Transaction(**dict(row)) for row in transactions or ()],
        holders=[Holder(**dict(row)) for row in holders or ()],
        waiting=locks[0]["waiting"] if locks else 0,
        waiting_seconds=locks[0]["seconds"] if locks else 0.0,
        **dict(leases[0] if leases else {}),
        **dict(beats[0] if beats else {}),
        hidden=hidden,
    )


async def _rows(conn: Connection, hidden: list[str], name: str, what: str, *arguments: Any) -> list[Any] | None:
    """What a statement gives; None where the role may not, or somebody keeps a table locked."""
    try:
        async with conn.transaction():
            await conn.execute(NOT_LONG)
            found: list[Any] = await conn.fetch(sql("health", name), *arguments)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.LockNotAvailableError) as error:
        hidden.append(f"{what}: {error}")
        return None
    return found
