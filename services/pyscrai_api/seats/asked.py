"""What waits for people, as the API shows it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from pyscrai.contract.seats import Asked
from pyscrai.domain.scenario import readable
from pyscrai_api.database import Connection

ASKED = """
SELECT i.event_id, q.lease_no, i.run_id, t.name AS scenario, r.number, i.seat, i.kind, e.event_type, e.turn, r.turns,
  e.phase, r.status, i.deadline, i.rule, i.draft IS NOT NULL AS draft, i.created_at, v.canonical,
  CASE WHEN i.deadline IS NOT NULL AND i.rule <> 'recorded'
    THEN greatest(0, extract(epoch FROM i.deadline - clock_timestamp()))::float8 END AS seconds_left
FROM inbox i JOIN runs r ON r.id = i.run_id JOIN queue q ON q.id = i.event_id JOIN events e ON e.id = i.event_id
JOIN templates t ON t.id = r.template_id JOIN template_versions v ON v.id = r.scenario_version_id
WHERE i.ended IS NULL
"""
"""One line for each event that waits for a person; conditions on `i`, `r` and `e` may follow."""


async def asked_of(conn: Connection, run_id: UUID) -> list[Asked]:
    """Whom a run waits for."""
    return [asked(row) for row in await conn.fetch(ASKED + " AND i.run_id = $1 ORDER BY i.event_id", run_id)]


def asked(row: Any, what: str = "") -> Asked:
    """A row of `ASKED`; `what`: is asked, in words."""
    declared = json.loads(row["canonical"])["seats"][row["seat"]]
    return Asked(
        event_id=row["event_id"],
        lease_no=row["lease_no"],
        run_id=str(row["run_id"]),
        run=f"{row['scenario']}/run-{row['number']:03d}",
        seat=row["seat"],
        title=declared.get("title") or readable(row["seat"]),
        kind=row["kind"],
        what=what or readable(row["event_type"]),
        turn=row["turn"],
        turns=row["turns"],
        phase=row["phase"],
        status=row["status"],
        deadline=row["deadline"] and row["deadline"].isoformat(),
        seconds_left=row["seconds_left"],
        on_deadline=row["rule"],
        draft=row["draft"],
        asked_at=row["created_at"].isoformat(),
    )
