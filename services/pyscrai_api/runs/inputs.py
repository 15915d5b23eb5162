"""What people inject into a run: kept until the open step commits, which takes it into the log.

Adding holds the run's lock, so nothing is added to a run that is over, and nothing is lost between two steps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pyscrai.contract.inputs import WaitingInput
from pyscrai.contract.problems import FieldError
from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.entry import Entry
from pyscrai.domain.injected import Injected, again, problems, ready
from pyscrai.domain.plan import Plan
from pyscrai_api.database import Connection
from pyscrai_api.errors import Conflict, Invalid
from pyscrai_api.runs.entries import read_entries
from pyscrai_api.runs.locked import LockedRun

MOST = 200
"""Inputs that may wait for one step."""
_COLUMNS = "id, run_id, kind, seat, body, created_by, created_at"
_ADD = f"INSERT INTO inputs (run_id, kind, seat, body, created_by) VALUES ($1, $2, $3, $4, $5) RETURNING {_COLUMNS}"
_WAITING = f"SELECT {_COLUMNS} FROM inputs WHERE run_id = $1 ORDER BY id"
_COUNT = "SELECT count(*) FROM inputs WHERE run_id = $1"
TAKE = "DELETE FROM inputs WHERE run_id = $1 RETURNING id, kind, seat, body"
# As the index ix_entries_injected has it.
RECORDED = """
SELECT seq, step, n, canonical FROM entries
WHERE run_id = $1 AND step = $2 AND seq > $3
  AND (kind IN ('input', 'edit') OR (kind = 'metric' AND body ->> 'by' = 'manual')) ORDER BY seq
"""


async def add(run: LockedRun, plan: Plan, wanted: Injected, by: str) -> WaitingInput:
    """Keep something for the run's next commit.

    Raises Conflict where the run is over, replays another one, or has too much waiting already; Invalid, with JSON
    Pointers.
    """
    if run.terminal:
        raise Conflict(f"the run is {run.status}; nothing enters it any more")
    if run.replay_of is not None:
        raise Conflict("a replay takes what was injected into its recording, and nothing else")
    if errors := [FieldError(pointer=place, message=why) for place, why in problems(plan, wanted)]:
        raise Invalid("this cannot enter the run", errors=errors)
    if await run.conn.fetchval(_COUNT, run.id) >= MOST:
        raise Conflict(f"{MOST} inputs wait for the run's next step already")
    return _shown(await _insert(run.conn, run.id, ready(plan, wanted), by))


async def add_all(conn: Connection, run_id: UUID, wanted: Sequence[Injected], by: str) -> None:
    """Keep what has been checked before."""
    for one in wanted:
        await _insert(conn, run_id, one, by)


async def take(run: LockedRun, plan: Plan) -> list[Injected]:
    """What enters the log with the step that commits now, oldest first; of a replay, what did so in its recording.

    Raises ValueError where that cannot be said in the scenario that the replay is played with.
    """
    if run.replay_of is not None:
        return await _recorded(run, plan, run.replay_of)
    rows = sorted(await run.conn.fetch(TAKE, run.id), key=lambda row: row["id"])
    return [Injected(kind=row["kind"], seat=row["seat"], body=json.loads(row["body"])) for row in rows]


async def waiting(conn: Connection, run_id: UUID) -> list[WaitingInput]:
    """What has been added to a run and has not entered its log, oldest first."""
    return [_shown(row) for row in await conn.fetch(_WAITING, run_id)]


async def _recorded(run: LockedRun, plan: Plan, recording: UUID) -> list[Injected]:
    # What the recording of a branch shares with its parent was copied.
    entries: list[Entry] = await read_entries(run.conn, RECORDED, recording, run.step, run.branch_seq or 0)
    found = [one for entry in entries if (one := again(entry)) is not None]
    for one in found:
        for _, why in problems(plan, one):
            raise ValueError(f"what was injected into the recording cannot be replayed: {why}")
    return found


async def _insert(conn: Connection, run_id: UUID, one: Injected, by: str) -> Any:
    return await conn.fetchrow(_ADD, run_id, one.kind, one.seat, canonical(normalise(one.body)), by)


def _shown(row: Any) -> WaitingInput:
    told = {"run_id": str(row["run_id"]), "body": json.loads(row["body"]), "created_at": row["created_at"].isoformat()}
    return WaitingInput.model_validate(dict(row) | told)
