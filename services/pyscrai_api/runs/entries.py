"""Reading a run's log."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from pyscrai.contract.runs import Delivered
from pyscrai.domain.canonical import read
from pyscrai.domain.entry import Entry
from pyscrai_api.database import Connection

_STORY = """
SELECT seq, step, n, canonical FROM entries
WHERE run_id = $1 AND seq > $2 AND seq <= $3 AND track = 'story' ORDER BY seq
"""
_PLACE = "SELECT n FROM entries WHERE run_id = $1 AND seq = $2"
_PAGE = """
SELECT seq, step, n, canonical, cost, remaining, at FROM entries
WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""


_HIDDEN = {
    "turn_complete": frozenset({"metrics"}),
    "phase_complete": frozenset({"events"}),
    "outcome": frozenset({"reason"}),
}
"""What seats may not know of what everybody is told. That a turn is over, but not what the analyst measured in it; a
phase, but not how many had a private letter to answer; how it ended, but not by which measure or by whose tool."""


async def read_story(conn: Connection, run_id: UUID, after: int, to: int) -> list[Entry]:
    """The story entries numbered after < seq <= to."""
    return await read_entries(conn, _STORY, run_id, after, to)


async def read_entries(conn: Connection, query: str, *args: Any) -> list[Entry]:
    """Entries by a query of one's own, which selects seq, step, n and canonical."""
    return [_entry(row) for row in await conn.fetch(query, *args)]


async def place_in_step(conn: Connection, run_id: UUID, seq: int) -> int:
    """Which line of its step an entry is, counted from 0."""
    return int(await conn.fetchval(_PLACE, run_id, seq))


async def read_log(conn: Connection, run_id: UUID, after: int, limit: int) -> list[Delivered]:
    """Up to `limit` entries of both tracks after a number, as they are delivered: with the money as it stood."""
    return [delivered(row) for row in await conn.fetch(_PAGE, run_id, after, limit)]


def delivered(row: Any) -> Delivered:
    entry = read(row["canonical"])
    return Delivered(
        seq=row["seq"],
        step=row["step"],
        n=row["n"],
        at=row["at"].isoformat(),
        cost=row["cost"],
        remaining=None if row["remaining"] is None else Decimal(row["remaining"]),
        **entry,
    )


def as_seen(entry: Delivered, seat: str | None) -> Delivered | None:
    """An entry as one seat may read it; None where it may not. A person who may read the run (seat None) reads all."""
    if not entry.visible(seat):
        return None
    hidden = _HIDDEN.get(entry.kind, frozenset())
    if seat is None or hidden.isdisjoint(entry.body):
        return entry
    return entry.model_copy(update={"body": {key: told for key, told in entry.body.items() if key not in hidden}})


def seen_by(entries: Iterable[Delivered], seat: str | None) -> list[Delivered]:
    """What one seat may read of these."""
    return [seen for entry in entries if (seen := as_seen(entry, seat)) is not None]


def _entry(row: Any) -> Entry:
    return Entry(seq=row["seq"], step=row["step"], n=row["n"], **read(row["canonical"]))
