"""Events as the API shows them, from their rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pyscrai.contract.events import Event
from pyscrai_api.database import Connection
from pyscrai_api.queue.statements import sql
from pyscrai_api.vocabulary import event_status


def event(row: Any) -> Event:
    """An event as the API shows it."""
    status, state = event_status(row["live"], row["final"], row["failures"])
    return Event(
        id=row["id"],
        event_type=row["event_type"],
        lane=row["lane"],
        status=status,
        state=state,
        priority=row["priority"],
        data=json.loads(row["payload"]),
        run_id=None if row["run_id"] is None else str(row["run_id"]),
        step=row["step"],
        ordinal=row["ordinal"],
        seat=row["seat"],
        turn=row["turn"],
        phase=row["phase"],
        lease_no=row["lease_no"],
        attempt=row["attempt"],
        failures=row["failures"],
        losses=row["losses"],
        handbacks=row["handbacks"],
        result=None if row["result"] is None else json.loads(row["result"]),
        error=row["error"],
        engine_id=None if row["engine_id"] is None else str(row["engine_id"]),
        created_at=row["created_at"].isoformat(),
        scheduled_for=None if row["run_at"] is None else row["run_at"].isoformat(),
        finished_at=None if row["finished_at"] is None else row["finished_at"].isoformat(),
    )


async def event_texts(conn: Connection, owner: str, ids: Sequence[int]) -> dict[int, str]:
    """Events that this owner may see, as JSON."""
    rows = await conn.fetch(sql("events", "some"), owner, ids) if ids else []
    return {row["id"]: event(row).model_dump_json() for row in rows}
