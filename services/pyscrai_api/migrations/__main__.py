"""Writing migrations: `python -m pyscrai_api.migrations DSN MESSAGE` compares tables.py with the database at DSN.

    DSN MESSAGE           the next revision, holding the difference (the database must be at the newest one)
    --first DSN           write 0001 anew from an empty database; only before the first release

What it writes is to be read before it is committed.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys

from alembic import command
from sqlalchemy import Connection

from pyscrai_api import database
from pyscrai_api.migrations.upgrade import config

VERSIONS = database.MIGRATIONS / "versions"


def write(connection: Connection, message: str) -> None:
    names = [path.name for path in VERSIONS.iterdir() if database.REVISION_FILE.match(path.name)]
    number = f"{len(names) + 1:04}"
    command.revision(config(connection), message=message, autogenerate=True, rev_id=number)


async def run(dsn: str, message: str) -> None:
    engine = database.engine(dsn, statement_cache=0)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(write, message)
    finally:
        await engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pyscrai_api.migrations", description=__doc__)
    parser.add_argument("--first", action="store_true", help="write 0001 anew; DSN is an empty database")
    parser.add_argument("dsn")
    parser.add_argument("message", nargs="?", default="first")
    given = parser.parse_args()
    if given.first:
        for path in VERSIONS.glob("[0-9]*.py"):
            path.unlink()
    asyncio.run(run(given.dsn, given.message))
    for step in ("format", "--quiet"), ("check", "--fix", "--quiet"):
        subprocess.run([sys.executable, "-m", "ruff", *step, str(VERSIONS)], check=True)


if __name__ == "__main__":
    main()
