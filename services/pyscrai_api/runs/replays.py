"""Starting a replay: a run that takes its answers from the recording of another one, and asks no model.

Played under the same versions and choices it tells the same story, to the same digest. Played with another version of
the scenario or of an event type, it goes on until something is asked that was not asked before, and stops there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pyscrai.contract.runs import NewReplay
from pyscrai.domain.boundaries import Boundary
from pyscrai.domain.choices import Choices
from pyscrai.domain.plan import needed_event_types
from pyscrai.domain.scenario import Scenario
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Connection
from pyscrai_api.errors import NotFound, Unprocessable
from pyscrai_api.runs.branching import Fork, fork_off, open_fork
from pyscrai_api.runs.commit import Committed, Committer
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.runs.places import Places
from pyscrai_api.runs.plans import Plans
from pyscrai_api.runs.start import Opening, as_played, check, check_results, open_run, pin_event_types

_RECORDED = """
SELECT template_id, scenario_version_id, pins, choices, default_model, limit_usd, coalesce(replay_of, id) AS recording,
  parent_id, branch_seq
FROM runs WHERE id = $1
"""
_ENTRY = "SELECT seq, turn, step, n FROM entries WHERE run_id = $1 AND seq = $2"


async def start_replay(
    conn: Connection,
    plans: Plans,
    places: Places,
    committer: Committer,
    recorded: UUID,
    wanted: NewReplay,
    *,
    owner: str,
) -> tuple[LockedRun, Committed | None]:
    """Create a run that replays `recorded` and open its first step, as `start.start_run` does.

    A replay of a replay takes the answers of the recording itself; that of a branch has the story that this shares
    with its parent, and replays what comes after it. No price and no limit is asked for: nothing is called. Raises
    NotFound, Invalid (with JSON Pointers), Unprocessable for a branch that is to be held against another scenario.
    """
    row = await conn.fetchrow(_RECORDED, recorded)
    if row is None:
        raise NotFound(f"there is no run {recorded}")
    if row["parent_id"] is not None and (wanted.scenario or wanted.version):
        raise Unprocessable("branch_of_other", "a branch is replayed in its own scenario: replay the run it comes from")
    then = await catalog.by_version(conn, row["scenario_version_id"])
    pin = await _scenario(conn, row, wanted, then, owner)
    choices = _choices(Choices.model_validate_json(row["choices"]), wanted)
    scenario = as_played(Scenario.model_validate(json.loads(pin.canonical)), choices)
    check(scenario, choices)
    pins = await _pins(conn, row, wanted, scenario, Scenario.model_validate(json.loads(then.canonical)), owner)
    plan = await plans.build(conn, pin.version_id, pins, choices, row["default_model"])
    check_results(plan)
    opening = Opening(
        pin=pin,
        pins=pins,
        plan=plan,
        owner=owner,
        pool=wanted.pool,
        limit=row["limit_usd"],
        replay_of=row["recording"],
    )
    if row["parent_id"] is None:
        return await open_run(conn, plans, places, opening)
    last = await conn.fetchrow(_ENTRY, recorded, row["branch_seq"])
    assert last is not None
    fork = Fork(source=recorded, parent=row["parent_id"], at=Boundary(**dict(last)), seq=last["seq"])
    run = await fork_off(conn, plans, places, opening, fork)
    return run, await open_fork(run, committer)


async def _scenario(conn: Connection, row: Any, wanted: NewReplay, then: catalog.Pin, owner: str) -> catalog.Pin:
    if wanted.scenario is None and wanted.version is None:
        return then
    name = row["template_id"] if wanted.scenario is None else wanted.scenario
    return await catalog.resolve(conn, "scenarios", name, wanted.version, owner=owner)


def _choices(recorded: Choices, wanted: NewReplay) -> Choices:
    told = wanted.choices
    given = {} if told is None else {key: getattr(told, key) for key in told.model_fields_set}
    if wanted.title is not None:
        given["title"] = wanted.title
    return recorded.model_copy(update=given)


async def _pins(
    conn: Connection, row: Any, wanted: NewReplay, scenario: Scenario, then: Scenario, owner: str
) -> dict[str, UUID]:
    """The recorded versions of event types, where the scenario still asks for the same ones."""
    needed, before = needed_event_types(scenario), needed_event_types(then)
    recorded: Mapping[str, str] = {} if wanted.latest else json.loads(row["pins"])
    same = {phase for phase, name in needed.items() if before.get(phase) == name}
    kept = {phase: UUID(version) for phase, version in recorded.items() if phase in same}
    fresh = {phase: name for phase, name in needed.items() if phase not in kept}
    return kept | await pin_event_types(conn, fresh, owner)
