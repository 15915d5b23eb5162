"""A system on a database of its own, made once, filled before each measurement."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import asyncpg

from bench.queue.drain import LONGEST, Cost, drain
from bench.queue.postgres import Postgres
from bench.queue.results import Record
from bench.queue.systems.base import System, emptied, settled


class Ground:
    """A system's database. Where it was burdened with rows of a state, nothing is emptied any more."""

    def __init__(self, postgres: Postgres, system: System, database: str) -> None:
        self.postgres = postgres
        self.system = system
        self._database = re.sub(r"\W+", "_", database.lower())
        self._dsn: str | None = None
        self._burdened: str | None = None

    async def dsn(self) -> str:
        """The address; the database is made when it is first asked for."""
        if self._dsn is None:
            self._dsn = await self.system.create(self.postgres, self._database)
        return self._dsn

    async def drop(self) -> None:
        """Away with it."""
        if self._dsn is not None:
            await self.postgres.drop(self._database)
            self._dsn = None

    async def burden(self, state: str, number: int) -> None:
        """Put rows of a state into it, for good; the second time does nothing."""
        if self._burdened is None and state != "clean":
            connection = await asyncpg.connect(await self.dsn())
            try:
                await self.system.burden(connection, state, number)
            finally:
                await connection.close()
            self._burdened = state

    async def drained(
        self,
        command: Sequence[str],
        options: Sequence[Mapping[str, Any]],
        jobs: int,
        *,
        tidy: bool = True,
        longest: float = LONGEST,
        **more: Any,
    ) -> Cost:
        """Fill it with jobs and let workers drain it. `tidy`: vacuumed and checkpointed before. The rest: `drain`."""
        dsn = await self.dsn()
        connection = await asyncpg.connect(dsn, command_timeout=300)
        try:
            if tidy and self._burdened is None:
                await emptied(self.system, connection)
            await self.system.fill(connection, jobs)
            if tidy:
                await settled(self.system, connection)
            return await drain(
                self.postgres, connection, self.system, command, options, dsn=dsn, jobs=jobs, longest=longest, **more
            )
        finally:
            await connection.close()


def record(cost: Cost) -> Record:
    """A cost as it is kept."""
    return {**asdict(cost), "rate": cost.rate, "cpu": cost.cpu}
