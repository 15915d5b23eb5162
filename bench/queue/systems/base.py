"""What a measurement asks of a system."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import asyncpg

from bench.queue.postgres import Postgres

STATES = ("clean", "finished", "future", "held")
"""What lies in the database besides the jobs that are done: nothing; many that are over; many that may only run
tomorrow; many that are held back by someone."""


class System(Protocol):
    """A queue in a database of its own. It does its jobs in workers; what is here only fills and looks."""

    name: ClassVar[str]
    tables: ClassVar[tuple[str, ...]]
    """Those that jobs live in, to be emptied and vacuumed."""
    states: ClassVar[tuple[str, ...]]
    """Which of STATES it can be in."""
    counts_late: ClassVar[bool]
    """Whether its workers count what they handled, so that the last of it may not be durable yet."""
    serves: ClassVar[bool]
    """Whether it needs our API."""

    async def create(self, postgres: Postgres, database: str) -> str:
        """A new database with its schema; the address."""
        ...

    async def fill(self, connection: asyncpg.Connection, number: int) -> None:
        """Enqueue so many jobs that can run now."""
        ...

    async def burden(self, connection: asyncpg.Connection, state: str, number: int) -> None:
        """Put so many rows of one of STATES beside them."""
        ...

    async def unfinished(self, connection: asyncpg.Connection) -> bool:
        """Whether any job that can run now is not over durably."""
        ...


def installed(*modules: str) -> bool:
    """Whether these can be imported here."""
    import importlib.util

    return all(importlib.util.find_spec(module) for module in modules)


async def emptied(system: System, connection: asyncpg.Connection) -> None:
    """Nothing in its tables, and its statistics say so."""
    await connection.execute(f"TRUNCATE {', '.join(system.tables)} CASCADE")


async def settled(system: System, connection: asyncpg.Connection) -> None:
    """Vacuumed, analysed and checkpointed: the same ground for everybody."""
    for table in system.tables:
        await connection.execute(f"VACUUM (ANALYZE) {table}")
    await connection.execute("CHECKPOINT")


Options = dict[str, Any]
