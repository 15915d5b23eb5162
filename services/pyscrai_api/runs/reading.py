"""Runs as the API shows them: one, a page of them, the snapshot."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from pyscrai.contract.runs import BranchRef, PutOff, Run, RunRef, ScenarioRef, Snapshot, Trouble
from pyscrai.contract.wire import Page
from pyscrai.domain.choices import Choices
from pyscrai.domain.plan import Plan
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.state import State
from pyscrai.domain.view import view
from pyscrai.domain.work import Work
from pyscrai_api.database import Connection
from pyscrai_api.errors import Invalid, NotFound
from pyscrai_api.runs import points
from pyscrai_api.runs.entries import read_story
from pyscrai_api.runs.folds import Folds, fold_at
from pyscrai_api.runs.plans import Plans
from pyscrai_api.seats.asked import asked_of

_SELECT = """
SELECT r.*, t.name AS scenario_name, v.version AS scenario_version, v.title AS scenario_title,
  v.sha256 AS scenario_sha256, recorded.number AS recorded_number, told.name AS recorded_scenario,
  parent.number AS parent_number
FROM runs r JOIN templates t ON t.id = r.template_id JOIN template_versions v ON v.id = r.scenario_version_id
LEFT JOIN runs recorded ON recorded.id = r.replay_of LEFT JOIN templates told ON told.id = recorded.template_id
LEFT JOIN runs parent ON parent.id = r.parent_id
"""
_ONE = _SELECT + " WHERE r.id = $1"
_PUT_OFF = """
SELECT count(*) AS events, extract(epoch FROM min(run_at) - now())::float8 AS seconds,
  coalesce((array_agg(error ORDER BY run_at))[1], 'its time') AS reason
FROM queue WHERE run_id = $1 AND state = 1 AND run_at > now()
"""
_BY_SERIAL = "SELECT id FROM runs WHERE serial = $1"
_PAGE = (
    _SELECT
    + """
WHERE r.owner = $1 AND ($2::text IS NULL OR t.name = $2 OR t.id::text = $2) AND ($3::text IS NULL OR r.status = $3)
  AND ($4::uuid IS NULL OR r.id < $4)
ORDER BY r.id DESC LIMIT $5
"""
)


async def run_id_of(conn: Connection, wanted: str) -> UUID:
    """A run's id from what a path says: the id itself, or its serial number. Raises NotFound."""
    if wanted.isdecimal() and len(wanted) < 18:
        found: UUID | None = await conn.fetchval(_BY_SERIAL, int(wanted))
        if found is not None:
            return found
    try:
        return UUID(wanted)
    except ValueError:
        raise NotFound(f"there is no run {wanted}") from None


async def read_run(conn: Connection, run_id: UUID) -> Run:
    """One run. Raises NotFound."""
    row = await conn.fetchrow(_ONE, run_id)
    if row is None:
        raise NotFound(f"there is no run {run_id}")
    run = shown(row)
    if run.status == "running" and (late := await conn.fetchrow(_PUT_OFF, run_id))["events"]:
        run.waiting_for = PutOff.model_validate(dict(late))
    if row["waiting"]:
        run.asks = await asked_of(conn, run_id)
    return run


async def list_runs(
    conn: Connection, owner: str, *, scenario: str | None, status: str | None, after: str | None, limit: int
) -> Page[Run]:
    """The owner's runs, newest first."""
    try:
        before = None if after is None else UUID(after)
    except ValueError:
        raise Invalid(f"`after` is not a run's id: {after}") from None
    rows = await conn.fetch(_PAGE, owner, scenario, status, before, limit + 1)
    runs = [shown(row) for row in rows[:limit]]
    return Page(items=runs, next=runs[-1].id if len(rows) > limit else None)


def shown(row: Any) -> Run:
    """A row as the API's run. Money is decimal strings, times are UTC."""
    return Run(
        id=str(row["id"]),
        number=row["number"],
        label=f"run-{row['number']:03d}",
        serial=row["serial"],
        title=row["title"],
        scenario=ScenarioRef(
            id=str(row["template_id"]),
            name=row["scenario_name"],
            version=row["scenario_version"],
            title=row["scenario_title"],
            sha256=row["scenario_sha256"],
        ),
        status=row["status"],
        reason=None if row["reason"] is None else Trouble.model_validate_json(row["reason"]),
        outcome=row["outcome"],
        turn=row["turn"],
        turns=row["turns"],
        phase=row["phase"],
        step=row["step"],
        open=row["open"],
        last_seq=row["last_seq"],
        seats=json.loads(row["seats"]),
        seed=row["seed"],
        limit=row["limit_usd"],
        spent=row["spent"],
        reserved=row["reserved"],
        model_calls=row["model_calls"],
        log_digest=row["digest"],
        choices=Choices.model_validate_json(row["choices"]),
        pool=row["pool"],
        owner=row["owner"],
        visibility=row["visibility"],
        labels=json.loads(row["labels"]),
        created_at=row["created_at"].isoformat(),
        started_at=_time(row["started_at"]),
        ended_at=_time(row["ended_at"]),
        replay_of=_recorded(row),
        branch_of=_parent(row),
    )


def _parent(row: Any) -> BranchRef | None:
    if row["parent_id"] is None:
        return None
    label = f"run-{row['parent_number']:03d}"
    told = {"id": str(row["parent_id"]), "label": label, "scenario": row["scenario_name"]}
    return BranchRef(**told, turn=row["branch_turn"], seq=row["branch_seq"])


def _recorded(row: Any) -> RunRef | None:
    if row["replay_of"] is None:
        return None
    label = f"run-{row['recorded_number']:03d}"
    return RunRef(id=str(row["replay_of"]), label=label, scenario=row["recorded_scenario"])


async def snapshot(
    conn: Connection, plans: Plans, folds: Folds, run_id: UUID, seat: str | None, at: str | None = None
) -> Snapshot:
    """The hydrated whole; for a seat, only what that seat may know. `at`: as of an earlier number (`points.number`)."""
    run = await read_run(conn, run_id)
    at_seq, version = await conn.fetchrow("SELECT at_seq, plan_version FROM runs WHERE id = $1", run_id)
    plan = await plans.of(conn, run_id, version)
    if at is None:
        state = await folds.at(conn, run_id, plan, at_seq)
    else:
        at_seq = await points.number(conn, run_id, at, run.last_seq)
        state = await fold_at(conn, run_id, plan, at_seq)
    if seat is None:
        scenario = plan.scenario.model_dump(mode="json")
        return Snapshot(run=run, scenario=scenario, choices=plan.choices, state=_dump(state), seq=at_seq)
    if seat not in plan.scenario.seats:
        raise NotFound(f"the run has no seat {seat}; it has {', '.join(plan.seats)}")
    first = state.marks[0] if state.marks else 1
    now = at is None
    recent = await (folds.recent(conn, run_id, state, at_seq) if now else read_story(conn, run_id, first - 1, at_seq))
    policy = plan.scenario.schedule.policy.partition("@")[0]
    phase = {"dialogue": "dialogue", "flow": "message"}.get(policy, "decision")
    own = view(plan, state, recent, Work(event_type="", turn=state.turn, phase=phase, seat=seat))
    public = {"turn": state.turn, "world": state.world, "facts": dict(state.facts)}
    return Snapshot(
        # What the run stands still or waits for may quote what was asked of another seat, or answered by it.
        run=run.model_copy(update={"choices": Choices(), "seats": plan.seats, "reason": None, "waiting_for": None}),
        scenario=public_scenario(plan.scenario),
        choices=_own_choices(plan, seat),
        state=public,
        seq=at_seq,
        seat=seat,
        view=own,
    )


def public_scenario(scenario: Scenario) -> dict[str, Any]:
    """What everyone at the table knows of a scenario."""
    seats = {seat: {"title": scenario.seat_title(seat), "role": scenario.seats[seat].role} for seat in scenario.seats}
    told = scenario.model_dump(mode="json", include={"format", "name", "title", "description", "language", "world"})
    return told | {"seats": seats}


def _own_choices(plan: Plan, seat: str) -> Choices:
    chosen = plan.choices.seats.get(seat)
    return Choices(seats={} if chosen is None else {seat: chosen}, turns=plan.choices.turns)


def _dump(state: State) -> dict[str, Any]:
    return state.model_dump(mode="json")


def _time(at: Any) -> str | None:
    return None if at is None else at.isoformat()
