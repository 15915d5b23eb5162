"""The one PostgreSQL of all measurements, and what it used: the project's own embedded server, durable."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil

from pyscrai.embedded.database import embedded_database, remove_database

SHOWN = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")


class Postgres:
    """A server, a database per system, and its meters."""

    def __init__(self, dsn: str, data: Path, postmaster: psutil.Process) -> None:
        self._dsn = dsn
        self.data = data
        self._postmaster = postmaster

    def dsn(self, database: str) -> str:
        """The address of one database."""
        return urlunsplit(urlsplit(self._dsn)._replace(path=f"/{database}"))

    async def create(self, database: str) -> str:
        """A new database, empty; its address."""
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
            await connection.execute(f'CREATE DATABASE "{database}"')
        finally:
            await connection.close()
        return self.dsn(database)

    async def drop(self, database: str) -> None:
        """Away with a database."""
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        finally:
            await connection.close()

    async def settings(self) -> dict[str, str]:
        """What it runs with, of what counts here."""
        connection = await asyncpg.connect(self._dsn)
        try:
            return {name: await connection.fetchval("SELECT current_setting($1)", name) for name in SHOWN}
        finally:
            await connection.close()

    def cpu(self) -> float:
        """Seconds of CPU that the server has used: its process, those that it has, and those that it had."""
        own = self._postmaster.cpu_times()
        used: float = own.user + own.system + own.children_user + own.children_system
        for process in self._postmaster.children():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            used += times.user + times.system
        return used


async def wal(connection: asyncpg.Connection) -> int:
    """Bytes of WAL that the server has written in its life."""
    return int(await connection.fetchval("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"))


@asynccontextmanager
async def postgres() -> AsyncIterator[Postgres]:
    """A server of our own in a folder of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pyscrai-bench-") as folder:
        data = Path(folder) / "data"
        try:
            with embedded_database(data) as dsn:
                connection = await asyncpg.connect(dsn)
                backend = await connection.fetchval("SELECT pg_backend_pid()")
                parent = psutil.Process(backend).parent()
                await connection.close()
                assert parent is not None
                yield Postgres(dsn, data, parent)
        finally:
            await asyncio.to_thread(remove_database, data)
