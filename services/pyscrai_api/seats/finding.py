"""Which event an answer is to, and which seat a request means."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from pyscrai.domain.plan import Plan
from pyscrai.domain.work import Work
from pyscrai_api.database import Connection
from pyscrai_api.errors import Conflict, NotFound
from pyscrai_api.queue import people
from pyscrai_api.runs.plans import Plans

_EVENT = (
    "SELECT event_type, turn, phase, seat, payload, priority FROM events WHERE id = $1 AND run_id = $2 AND seat = $3"
)
_LATEST = """
SELECT i.event_id FROM events e JOIN inbox i ON i.event_id = e.id
WHERE e.run_id = $1 AND i.seat = $2 ORDER BY e.step DESC, e.ordinal DESC LIMIT 1
"""
_SEATED = """
SELECT i.run_id FROM inbox i JOIN runs r ON r.id = i.run_id
WHERE r.owner = $1 AND i.seat = $2 AND i.ended IS NULL ORDER BY i.run_id LIMIT 2
"""


@dataclass(frozen=True, kw_only=True)
class Question:
    """An event that a person was asked for."""

    event_id: int
    work: Work


def seat_of(plan: Plan, wanted: str) -> str:
    """A seat by its name or title. Raises NotFound."""
    if wanted in plan.scenario.seats:
        return wanted
    titles = {plan.scenario.seat_title(seat).casefold(): seat for seat in plan.seats}
    found = titles.get(wanted.strip().casefold())
    if found is None:
        raise NotFound(f"the run has no seat {wanted}; it has {', '.join(plan.seats)}")
    return found


async def question(conn: Connection, plans: Plans, run_id: UUID, wanted: str, event_id: int | None) -> Question:
    """The event that is meant: the one that is named, else what the seat is asked now, else was asked last.

    Raises NotFound for an unknown seat or event, Conflict where the seat never was asked.
    """
    seat = seat_of(await plans.of(conn, run_id), wanted)
    if event_id is None:
        waiting = await people.waiting_of(conn, run_id, seat)
        event_id = waiting[0].event_id if waiting else await conn.fetchval(_LATEST, run_id, seat)
        if event_id is None:
            raise Conflict(f"nobody is asked at the seat {seat}: a model plays it; take it first")
    row = await conn.fetchrow(_EVENT, event_id, run_id, seat)
    if row is None:
        raise NotFound(f"the seat {seat} of this run has no event {event_id}")
    return Question(event_id=event_id, work=Work(**{**dict(row), "payload": json.loads(row["payload"])}))


async def run_that_asks(conn: Connection, owner: str, seat: str) -> UUID:
    """The one run of somebody in which this seat is asked for something. Raises NotFound, Conflict."""
    rows = await conn.fetch(_SEATED, owner, seat)
    if not rows:
        raise NotFound(f"no run of yours waits for the seat {seat}")
    if len({row["run_id"] for row in rows}) > 1:
        raise Conflict(f"several of your runs wait for a seat {seat}: use /runs/{{run}}/actors/{seat}/decide")
    found: UUID = rows[0]["run_id"]
    return found
