"""The connection to PostgreSQL: the pool that everything hot uses, and bringing the schema up to date.

connect(settings) → pool      one clear StartupError when it cannot be had
migrate(dsn)                  Alembic to the newest revision, safely from several processes at once
engine(settings)              SQLAlchemy over the same driver, for the catalog; small, made at first use
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg

from pyscrai_api.errors import StartupError, Unavailable
from pyscrai_api.lines import MOST as MOST_LINES
from pyscrai_api.lines import Lines
from pyscrai_api.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

Pool: TypeAlias = asyncpg.Pool
Connection: TypeAlias = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
OLDEST_POSTGRES = 15
CONNECT_SECONDS = 10.0
RECOVERY_SECONDS = 60.0
RETRY_SECONDS = 0.1
MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 7_162_038_415_926_535  # of this project alone, held while schema or seed change
PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""How hot statements are planned: once in a connection, by index, whatever the tables hold at that moment. Planning
takes longer than claiming (measured: 600 of 1,070 µs); and a plan that was made while the queue was empty goes on
reading all of it until somebody analyses it, which may take a minute with a million rows."""
REVISION_FILE = re.compile(r"^(\d{4})_\w+\.py$")


async def connect(settings: Settings) -> Pool:
    """The pool of connections. JSON stays text on both sides. Raises StartupError in words for a person."""
    await _check_server(settings.database_url)
    pool: Pool = await asyncpg.create_pool(
        settings.database_url,
        connect=_reconnect,
        reset=_as_it_is,
        min_size=1,
        max_size=settings.pool_size,
        **_for_all(settings),
    )
    return pool


def lines(settings: Settings, most: int = MOST_LINES) -> Lines:
    """A few connections beside the pool, for hot statements that stand alone."""
    wanted = _for_all(settings)
    if settings.statement_cache:
        wanted["server_settings"] |= PLANS
    return Lines(lambda: _reconnect(settings.database_url, **wanted), most)


def _for_all(settings: Settings) -> dict[str, Any]:
    """What holds for every connection."""
    return {
        "timeout": CONNECT_SECONDS,
        "command_timeout": settings.statement_timeout * 2,  # the server's own timeout speaks first
        "statement_cache_size": settings.statement_cache,
        "server_settings": server_settings(settings),
    }


def server_settings(settings: Settings) -> dict[str, str]:
    """What each connection asks of the server. PgBouncer refuses all but the name."""
    wanted = {"application_name": "pyscrai_api"}
    if settings.statement_cache:
        milliseconds = str(round(settings.statement_timeout * 1000))
        wanted |= {
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
            "jit": "off",
        }
    return wanted


async def _as_it_is(_connection: asyncpg.Connection) -> None:
    """Connections go back to the pool without a round trip: nothing here changes a session, only transactions.

    asyncpg itself still rolls back what is open.
    """


async def _reconnect(*args: Any, **kwargs: Any) -> asyncpg.Connection:
    """Connect for the pool; whatever way a server can be away becomes Unavailable (503)."""
    try:
        return await asyncpg.connect(*args, **kwargs)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError) as error:
        raise Unavailable("the database does not answer; nothing was lost, try again") from error


async def _check_server(dsn: str) -> None:
    connection = await first_connection(dsn)
    try:
        major = connection.get_server_version().major
        if major < OLDEST_POSTGRES:
            raise StartupError(f"{place(dsn)} is PostgreSQL {major}; {OLDEST_POSTGRES} or newer is needed")
    finally:
        await connection.close()


async def first_connection(dsn: str) -> asyncpg.Connection:
    """One connection outside the pool. Raises StartupError saying what is wrong and never the password."""
    if not dsn:
        raise StartupError(
            "no database is named: give --database-url or PYSCRAI_DATABASE_URL, "
            "or start with `pyscrai up`, which brings its own PostgreSQL"
        )
    where = place(dsn)
    try:
        return await _once_started(dsn)
    except asyncpg.InvalidCatalogNameError:
        raise StartupError(f"{where}: there is no database of that name; create it first") from None
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise StartupError(f"{where} refuses the user or the password") from None
    except TimeoutError:
        raise StartupError(f"{where} does not answer within {CONNECT_SECONDS:.0f} s; is the address right?") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise StartupError(f"cannot reach {where}: {_reason(error)}") from None


async def _once_started(dsn: str) -> asyncpg.Connection:
    """Connect, waiting for a server that says that it is still starting (after a crash it recovers first)."""
    end = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            return await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, statement_cache_size=0)
        except asyncpg.CannotConnectNowError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(RETRY_SECONDS)


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "the connection is refused; is PostgreSQL running there?"
    return str(error).strip() or type(error).__name__


def place(dsn: str) -> str:
    """A database as people name it: no user, no password."""
    try:
        parts = urlsplit(dsn)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the database (its URL cannot be read)"
    return f"the database {parts.path.lstrip('/') or '(default)'} at {parts.hostname or 'the local socket'}{port}"


def newest_revision(folder: Path = MIGRATIONS / "versions") -> str:
    """The revision that this code needs. From file names, because importing Alembic costs half a second."""
    found = [match[1] for match in map(REVISION_FILE.match, (path.name for path in folder.iterdir())) if match]
    return max(found)


async def revision(connection: Connection) -> str | None:
    """The revision that the database is at; None for one that was never migrated."""
    try:
        found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return found


async def migrate(dsn: str) -> None:
    """Bring the schema to the newest revision; returns at once if it is there.

    Any number of processes may call this together: one works, the others wait and find it done.
    Raises StartupError if the database is newer than this code, has no room, or refuses.
    """
    connection = await first_connection(dsn)
    try:
        at, wanted = await revision(connection), newest_revision()
    finally:
        await connection.close()
    if at == wanted:
        return
    if at is not None and at > wanted:
        raise StartupError(
            f"{place(dsn)} was migrated by a newer PyScrAI (revision {at}, this one knows {wanted}); update this one"
        )
    from pyscrai_api.migrations.upgrade import MigrationFailed, upgrade

    try:
        await upgrade(dsn)
    except MigrationFailed as error:
        raise StartupError(f"{place(dsn)} cannot be migrated, and stays as it was: {error}") from None


def engine(dsn: str, *, statement_cache: int = 100, size: int = 3) -> AsyncEngine:
    """SQLAlchemy over asyncpg, understanding the very URLs that asyncpg does."""
    from sqlalchemy.ext.asyncio import create_async_engine

    from pyscrai_api.ids import new_id

    async def driver() -> asyncpg.Connection:
        return await _reconnect(
            dsn, timeout=CONNECT_SECONDS, statement_cache_size=statement_cache,
            server_settings={"application_name": "pyscrai_api catalog"},
        )  # fmt: skip

    cache: dict[str, Any] = {"prepared_statement_cache_size": statement_cache}
    if not statement_cache:
        cache["prepared_statement_name_func"] = lambda: f"pyscrai_{new_id().hex}"
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=driver, connect_args=cache,
        pool_size=1, max_overflow=size - 1, pool_pre_ping=True,
    )  # fmt: skip
