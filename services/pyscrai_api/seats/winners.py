"""One wins, the others are told who: what a late answer is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyscrai.contract.seats import Winner
from pyscrai_api.database import Connection
from pyscrai_api.errors import Conflict
from pyscrai_api.queue.statements import sql

_SAID = {
    "submitted": "submitted already, from another tab or place, {by}at {at}",
    "approved": "the deadline passed at {deadline}; what the model proposed counts",
    "skipped": "the deadline passed at {deadline}; the seat was skipped",
    "to_model": "the deadline passed at {deadline}; a model moves for the seat",
    "released": "the seat was given back to its model {by}at {at}",
    "sent_back": "sent back to the model {by}at {at}",
    "cancelled": "the run was ended at {at}",
}


async def one(conn: Connection, event_id: int) -> Mapping[str, Any] | None:
    """How the waiting for a person stands, or was over; None where nobody was ever asked."""
    row = await conn.fetchrow(sql("people", "one"), event_id)
    return None if row is None else dict(row)


def lost(row: Mapping[str, Any] | None) -> Conflict:
    """What whoever came too late is told."""
    if row is None:
        return Conflict("nobody is asked for this event: a model plays it")
    if row["ended"] is None:
        why = f"the seat was asked anew, under the number {row['lease_no']}: read it again"
        return Conflict(why, winner=Winner(how="asked_anew").model_dump())
    by = f"by {row['ended_by']} " if row["ended_by"] else ""
    at, deadline = row["ended_at"], row["deadline"] or row["ended_at"]
    said = _SAID[row["ended"]].format(by=by, at=clock(at), deadline=clock(deadline))
    return Conflict(said, winner=Winner(how=row["ended"], by=row["ended_by"], at=at.isoformat()).model_dump())


def clock(at: Any) -> str:
    """A time of the database as a person reads it."""
    return str(at.strftime("%Y-%m-%d %H:%M:%S UTC"))
