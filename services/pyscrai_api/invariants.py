"""The queries that must return no row (`queue/sql/invariants.sql`), run and reported."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from pyscrai_api.database import Connection

FILE = Path(__file__).parent / "queue" / "sql" / "invariants.sql"
NAMED = re.compile(r"^-- name:\s*(\S+)[^\n]*\n(.*?)(?=^-- name:|\Z)", re.MULTILINE | re.DOTALL)
MOST_ROWS = 20


@cache
def queries(file: Path = FILE) -> dict[str, str]:
    """The named queries of the file."""
    return {name: text.strip().rstrip(";") for name, text in NAMED.findall(file.read_text("utf-8"))}


async def broken(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Each invariant with the rows that break it, at most twenty; all from one moment."""
    found = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for name, query in queries().items():
            cursor = await connection.cursor(query)
            found[name] = [{key: _plain(value) for key, value in row.items()} for row in await cursor.fetch(MOST_ROWS)]
    return found


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
