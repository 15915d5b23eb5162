"""Who holds what, as the database sees it at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg

SECONDS = 3.0
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""How a connection ends, or shows that it has ended, when something else kills the server."""
LEASES = """
SELECT (e.engine_metadata->>'pid')::int AS pid, count(*) AS leases
FROM queue q JOIN engines e ON e.id = q.engine_id
WHERE q.state = 3 AND q.lease_until > clock_timestamp() AND e.created_at > clock_timestamp() - interval '1 hour'
GROUP BY 1
"""
ENGINES = "SELECT (engine_metadata->>'pid')::int AS pid FROM engines WHERE status = 'active'"
LEASES_OF = """
SELECT count(*) FROM queue q JOIN engines e ON e.id = q.engine_id
WHERE q.state = 3 AND q.lease_until > clock_timestamp() AND (e.engine_metadata->>'pid')::int = $1
  AND e.created_at > clock_timestamp() - make_interval(secs => $2)
"""
TRANSACTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND usename = $2
  AND xact_start IS NOT NULL AND state <> 'idle' AND ($1::int[] IS NULL OR client_port = ANY($1))
"""
IN_TRANSACTION = """
SELECT pid FROM pg_stat_activity
WHERE backend_type = 'client backend' AND usename = $1 AND xact_start IS NOT NULL AND state <> 'idle'
"""
ALL_LEASES = "SELECT count(*) FROM queue WHERE state = 3 AND lease_until > clock_timestamp()"


class CannotLook(Exception):
    """The database does not answer just now."""


class Looker:
    """A connection of the superuser, for whom some are always kept; made anew when it was lost."""

    def __init__(self, dsn: Callable[[], str], user: str) -> None:
        self._dsn = dsn
        self._user = user
        self._connection: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Not to be used after this."""
        if self._connection is not None:
            self._connection.terminate()

    async def leases(self) -> dict[int, int]:
        """Engine process → leases that it holds. Raises CannotLook."""
        return {row["pid"]: row["leases"] for row in await self._fetch(LEASES)}

    async def engines(self) -> set[int]:
        """The processes of engines that are registered and alive. Raises CannotLook."""
        return {row["pid"] for row in await self._fetch(ENGINES)}

    async def leases_of(self, pid: int, age: float) -> int:
        """The leases of an engine process that is so many seconds old. Raises CannotLook."""
        return int((await self._fetch(LEASES_OF, pid, age + 1.0))[0][0])

    async def transactions_of(self, ports: Sequence[int]) -> int:
        """The transactions that are open on connections from these ports. Raises CannotLook."""
        return int((await self._fetch(TRANSACTIONS, list(ports), self._user))[0][0])

    async def everything(self) -> tuple[int, int]:
        """All leases, and all open transactions of replicas. Raises CannotLook."""
        transactions = await self._fetch(TRANSACTIONS, None, self._user)
        leases = await self._fetch(ALL_LEASES)
        return int(leases[0][0]), int(transactions[0][0])

    async def busy_backends(self) -> list[int]:
        """Server processes in which a replica's transaction is open. Raises CannotLook."""
        return [row["pid"] for row in await self._fetch(IN_TRANSACTION, self._user)]

    async def execute(self, statement: str, *args: Any) -> None:
        """Anything else. Raises CannotLook."""
        await self._fetch(statement, *args)

    async def _fetch(self, statement: str, *args: Any) -> Sequence[Any]:
        async with self._lock:
            try:
                async with asyncio.timeout(SECONDS):
                    if self._connection is None or self._connection.is_closed():
                        self._connection = await asyncpg.connect(
                            self._dsn(), server_settings={"application_name": "chaos looker"}
                        )
                    found: Sequence[Any] = await self._connection.fetch(statement, *args)
                    return found
            except LOST as error:
                if self._connection is not None:
                    self._connection.terminate()
                    self._connection = None
                raise CannotLook(str(error)) from error
