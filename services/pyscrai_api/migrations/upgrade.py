"""Running Alembic from code, in one transaction under one lock. Importing this costs half a second: do it late."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from pyscrai_api import database


class MigrationFailed(Exception):
    """The database refused; the message is its own."""


def config(connection: Connection) -> Config:
    """Alembic's configuration, working on a connection that is open already."""
    made = Config()
    made.set_main_option("script_location", str(database.MIGRATIONS).replace("%", "%%"))
    made.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    made.attributes["connection"] = connection
    return made


def to_newest(connection: Connection) -> None:
    """Upgrade within the caller's transaction; a second process waits here and then has nothing to do."""
    # The server's own limits are for requests; a migration may wait for another and take its time.
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": database.MIGRATION_LOCK})
    command.upgrade(config(connection), "head")


async def upgrade(dsn: str) -> None:
    """Bring the database at `dsn` to the newest revision, or leave it as it was. Raises MigrationFailed."""
    engine = database.engine(dsn, statement_cache=0)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(to_newest)
    except DBAPIError as error:
        raise MigrationFailed(str(error.orig).rpartition(">: ")[2]) from error
    finally:
        await engine.dispose()
