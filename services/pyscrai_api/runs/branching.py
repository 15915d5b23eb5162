"""Branches: a new run with the story of another one up to a step boundary, which goes on from there by itself.

The shared entries are copied, so that each log is whole; control lines are not, nor what anything has cost. What is
otherwise enters the log after them, and the policy goes on from the state folded there. All of it is one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from pyscrai.contract.branches import Changes, NewBranch
from pyscrai.contract.problems import FieldError
from pyscrai.domain.boundaries import Boundary
from pyscrai.domain.choices import Choices, Price, SeatChoice
from pyscrai.domain.digest import canonical_entry, first_link, link
from pyscrai.domain.injected import Injected, problems, ready
from pyscrai.domain.plan import Plan, needed_event_types
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.state import fold, initial, window
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Connection
from pyscrai_api.errors import Invalid, NotFound, Unprocessable
from pyscrai_api.runs import inputs
from pyscrai_api.runs.boundaries import boundary
from pyscrai_api.runs.commit import Committed, Committer, StepError
from pyscrai_api.runs.entries import read_story
from pyscrai_api.runs.folds import store
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.runs.places import Places
from pyscrai_api.runs.plans import Plans
from pyscrai_api.runs.seating import log_seats
from pyscrai_api.runs.start import (
    Opening,
    as_played,
    check,
    check_money,
    check_results,
    create,
    pin_event_types,
)

READ_AT_ONCE = 1000
_PARENT = "SELECT scenario_version_id, pins, choices, default_model, limit_usd, seats FROM runs WHERE id = $1"
_ROOT = """
WITH RECURSIVE up (id, parent_id) AS (
  SELECT id, parent_id FROM runs WHERE id = $1
  UNION ALL SELECT r.id, r.parent_id FROM runs r JOIN up ON r.id = up.parent_id
)
SELECT id FROM up WHERE parent_id IS NULL
"""
_BRANCHED = "SELECT parent_id, branch_seq FROM runs WHERE id = $1 AND branch_seq >= $2"
_SAME_PLACE = "SELECT seq FROM entries WHERE run_id = $1 AND step = $2 AND n = $3 AND track = 'story'"
_STORY_LINES = "SELECT count(*) FROM entries WHERE run_id = $1 AND seq <= $2 AND track = 'story'"
_COPY = """
INSERT INTO entries (run_id, seq, track, kind, turn, step, n, canonical, body, cost, remaining)
SELECT $1, row_number() OVER (ORDER BY seq), track, kind, turn, step, n, canonical, body, 0, $4
FROM entries WHERE run_id = $2 AND seq <= $3 AND track = 'story'
"""
_BELONGS = "UPDATE runs SET parent_id = $2, branch_seq = $3, branch_turn = $4 WHERE id = $1"
_COPY_DOCUMENTS = """
INSERT INTO documents (run_id, id, title, content_type, content)
SELECT $1, id, title, content_type, content FROM documents WHERE run_id = $2 AND id IN (
  SELECT told ->> 'id' FROM entries, jsonb_array_elements(body -> 'documents') told
  WHERE run_id = $1 AND kind = 'tool_result')
"""


@dataclass(frozen=True, kw_only=True)
class Fork:
    """Where a run leaves another one: what is copied of `source`, and whose child the new run is."""

    source: UUID
    parent: UUID
    at: Boundary
    seq: int


async def start_branch(
    conn: Connection,
    plans: Plans,
    places: Places,
    committer: Committer,
    parent: UUID,
    wanted: NewBranch,
    *,
    owner: str,
    default_limit: Decimal | None,
    prices: Mapping[str, Price],
) -> tuple[LockedRun, Committed | None]:
    """Create a branch of a run and open its first step, as `start.start_run` does; it may be pending too.

    Raises NotFound, Invalid (with JSON Pointers), Unprocessable (`unpriced_model`, `limit_required`, `policy_error`).
    """
    parent, at = await _played_by(conn, parent, await boundary(conn, parent, wanted.at))
    row = await conn.fetchrow(_PARENT, parent)
    if row is None:
        raise NotFound(f"there is no run {parent}")
    before, changes = Choices.model_validate_json(row["choices"]), wanted.changes
    choices = chosen(before, changes)
    pin = await catalog.by_version(conn, row["scenario_version_id"])
    scenario = as_played(Scenario.model_validate(json.loads(pin.canonical)), choices, "/changes")
    check(scenario, choices, "/changes")
    pins = {phase: UUID(version) for phase, version in json.loads(row["pins"]).items()}
    more = {phase: name for phase, name in needed_event_types(scenario).items() if phase not in pins}
    pins |= await pin_event_types(conn, more, owner)
    plan = await plans.build(conn, pin.version_id, pins, choices, row["default_model"])
    check_results(plan)
    limit = _limit(changes, row["limit_usd"], default_limit)
    check_money(plan, limit, prices, "/changes")
    entering = _entering(plan, before, changes)
    fork = Fork(source=parent, parent=parent, at=at, seq=await conn.fetchval(_STORY_LINES, parent, at.seq))
    opening = Opening(pin=pin, pins=pins, plan=plan, owner=owner, pool=wanted.pool, limit=limit)
    run = await fork_off(conn, plans, places, opening, fork)
    log_seats(run, before, choices, plan.seats)
    await inputs.add_all(conn, run.id, entering, owner)
    return run, await open_fork(run, committer)


async def _played_by(conn: Connection, run_id: UUID, at: Boundary) -> tuple[UUID, Boundary]:
    """The run that played the part which ends there, and the same place in its log.

    Of a branch's shared part that is the run it comes from: what was changed for the branch did not hold there yet.
    """
    while row := await conn.fetchrow(_BRANCHED, run_id, at.seq):
        run_id = row["parent_id"]
        at = at.model_copy(update={"seq": await conn.fetchval(_SAME_PLACE, run_id, at.step, at.n)})
    return run_id, at


async def fork_off(conn: Connection, plans: Plans, places: Places, opening: Opening, fork: Fork) -> LockedRun:
    """Write a run down with the shared story, the state and the digest that this leads to."""
    run = await create(conn, plans, places, opening)
    await conn.execute(_COPY, run.id, fork.source, fork.at.seq, run.limit_usd)
    await conn.execute(_COPY_DOCUMENTS, run.id, fork.source)
    run.last_seq = run.at_seq = fork.seq
    run.turn, run.step = fork.at.turn, fork.at.step
    root = await conn.fetchval(_ROOT, fork.parent)
    run.digest = first_link(await plans.of(conn, root))
    state, reach = initial(opening.plan), window(opening.plan)
    for after in range(0, fork.seq, READ_AT_ONCE):
        entries = await read_story(conn, run.id, after, after + READ_AT_ONCE)
        state = fold(state, entries, reach)
        for entry in entries:
            run.digest = link(run.digest, canonical_entry(entry))
    await store(conn, run.id, state)
    # Naming the parent locks its row against changes, so that comes last: it goes on while its story is copied.
    await conn.execute(_BELONGS, run.id, fork.parent, fork.seq, fork.at.turn)
    run.branch_seq = fork.seq
    return run


async def open_fork(run: LockedRun, committer: Committer) -> Committed | None:
    """Open the first step of its own, if the run may play now."""
    if not run.running:
        return None
    try:
        return await committer.commit(run)
    except StepError as error:
        raise Unprocessable("policy_error", f"the branch cannot go on from there: {error}") from None


def chosen(before: Choices, changes: Changes) -> Choices:
    """The choices of a branch. Who sits at a seat changes as it does in mid-run: `human` stays what it began with."""
    seats = dict(before.seats)
    for who, choice in changes.seats.items():
        told = choice.model_dump(exclude_unset=True)
        if "human" in told:
            told["taken"] = told.pop("human")
        kept = seats.get(who) or SeatChoice()
        seats[who] = SeatChoice.model_validate({**kept.model_dump(exclude_unset=True), **told})
    edits = {**before.edits, **{who: {**before.edits.get(who, {}), **new} for who, new in changes.edits.items()}}
    given: dict[str, Any] = {"seats": seats, "edits": edits, "prices": {**before.prices, **changes.prices}}
    for name in ("model", "turns", "seed", "title", "labels", "group", "limit"):
        value = getattr(changes, name)
        if value is not None:
            given[name] = value
    return before.model_copy(update=given)


def _limit(changes: Changes, of_parent: Decimal | None, default: Decimal | None) -> Decimal | None:
    if changes.limit is None:
        return of_parent if of_parent is not None else default
    return None if changes.limit == "none" else changes.limit


def _entering(plan: Plan, before: Choices, changes: Changes) -> list[Injected]:
    """What enters the log after the shared part, in this order: fields of seats, the world, inputs.

    Raises Invalid, with JSON Pointers.
    """
    fields: dict[str, dict[str, Any]] = {who: dict(new) for who, new in changes.edits.items()}
    for who, choice in changes.seats.items():
        if choice.instructions is not None and choice.instructions != _instructions(before, who):
            fields.setdefault(who, {})["instructions"] = choice.instructions
    found = [Injected(kind="edit", seat=who, body={"fields": new}) for who, new in fields.items() if new]
    checked: list[tuple[str, Injected]] = []
    world = {"world": changes.world, "facts": changes.facts}
    if told := {key: value for key, value in world.items() if value is not None}:
        checked.append(("/changes", Injected.model_validate({"kind": "edit", "body": told})))
    checked += [(f"/changes/inputs/{place}", one.injected()) for place, one in enumerate(changes.inputs)]
    errors = [
        FieldError(pointer=f"{place}{at}", message=why) for place, one in checked for at, why in problems(plan, one)
    ]
    if errors:
        raise Invalid("this cannot enter the branch", errors=errors)
    return [*found, *(ready(plan, one) for _, one in checked)]


def _instructions(before: Choices, who: str) -> str | None:
    choice = before.seats.get(who)
    return None if choice is None else choice.instructions
