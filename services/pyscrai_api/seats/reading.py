"""What people at seats see: their inbox, and the page of one seat."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from pyscrai.contract.seats import Asked, SeatPage
from pyscrai.contract.wire import Page
from pyscrai.domain.forms import form
from pyscrai.domain.plan import Plan
from pyscrai.domain.scenario import readable
from pyscrai.domain.state import State
from pyscrai.domain.view import result_schema, view
from pyscrai.domain.work import Work
from pyscrai_api.database import Connection
from pyscrai_api.errors import Invalid, NotFound
from pyscrai_api.runs.folds import Folds
from pyscrai_api.runs.plans import Plans
from pyscrai_api.seats.asked import ASKED
from pyscrai_api.seats.asked import asked as describe
from pyscrai_api.seats.finding import seat_of

_INBOX = (
    ASKED
    + """ AND r.owner = $1 AND ($2::uuid IS NULL OR i.run_id = $2) AND ($3::text IS NULL OR i.seat = $3)
  AND i.event_id > $4 ORDER BY i.event_id LIMIT $5"""
)
_OF_SEAT = ASKED + " AND i.run_id = $1 AND i.seat = $2 ORDER BY i.event_id LIMIT 1"
_RUN = """
SELECT r.status, r.number, r.at_seq, r.plan_version, t.name AS scenario
FROM runs r JOIN templates t ON t.id = r.template_id WHERE r.id = $1
"""
_QUESTION = """
SELECT e.event_type, e.turn, e.phase, e.payload, e.priority, i.draft, i.draft_by, i.draft_at, i.proposed, i.remarks
FROM events e JOIN inbox i ON i.event_id = e.id WHERE e.id = $1
"""
_PHASE_OF_POLICY = {"dialogue": "dialogue", "flow": "message"}


async def inbox(
    conn: Connection, owner: str, *, run_id: UUID | None, seat: str | None, after: str | None, limit: int
) -> Page[Asked]:
    """What the caller's runs ask of people, in the order in which it was asked. Raises Invalid."""
    if after is not None and not (after.isdecimal() and len(after) < 19):
        raise Invalid(f"`after` is not an event's id: {after[:60]}")
    rows = await conn.fetch(_INBOX, owner, run_id, seat, int(after or 0), limit + 1)
    items = [describe(row) for row in rows[:limit]]
    return Page(items=items, next=str(items[-1].event_id) if len(rows) > limit else None)


async def seat_page(conn: Connection, plans: Plans, folds: Folds, run_id: UUID, wanted: str) -> SeatPage:
    """One seat: who sits there, what it may know, and what it is asked. Raises NotFound."""
    run = await conn.fetchrow(_RUN, run_id)
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    plan = await plans.of(conn, run_id, run["plan_version"])
    seat = seat_of(plan, wanted)
    state = await folds.at(conn, run_id, plan, run["at_seq"])
    recent = await folds.recent(conn, run_id, state, run["at_seq"])
    row = await conn.fetchrow(_OF_SEAT, run_id, seat)
    work = _idle(plan, state, seat)
    asked: dict[str, Any] = {}
    if row is not None:
        found = await conn.fetchrow(_QUESTION, row["event_id"])
        assert found is not None
        work = _work(found, seat)
        event_type = plan.event_type(work)
        schema = form(plan, result_schema(plan, work), title=event_type.title or readable(event_type.name))
        asked = {"asked": describe(row, event_type.title), "form": schema, "remarks": json.loads(found["remarks"])}
        asked |= {name: found[name] and json.loads(found[name]) for name in ("draft", "proposed")}
        asked |= {"draft_by": found["draft_by"], "draft_at": found["draft_at"] and found["draft_at"].isoformat()}
    return SeatPage(
        run_id=str(run_id),
        run=f"{run['scenario']}/run-{run['number']:03d}",
        status=run["status"],
        seat=seat,
        title=plan.scenario.seat_title(seat),
        played_by="person" if plan.by_person(seat) else "model",
        approve=plan.approved(seat),
        model=plan.seating(seat).model,
        view=view(plan, state, recent, work),
        **asked,
    )


def _idle(plan: Plan, state: State, seat: str) -> Work:
    policy = plan.scenario.schedule.policy.partition("@")[0]
    return Work(event_type="", turn=state.turn, phase=_PHASE_OF_POLICY.get(policy, "decision"), seat=seat)


def _work(row: Any, seat: str) -> Work:
    return Work(
        event_type=row["event_type"],
        turn=row["turn"],
        phase=row["phase"],
        seat=seat,
        payload=json.loads(row["payload"]),
        priority=row["priority"],
    )
