"""Sweeps as the API shows them: one, a page of them, their rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from pyscrai.contract.batches import Batch, BatchRun
from pyscrai.contract.runs import TERMINAL
from pyscrai.contract.wire import Page
from pyscrai_api.database import Connection
from pyscrai_api.errors import Invalid, NotFound

PLANNED, REFUSED = "planned", "refused"
OUT_OF_MONEY = "out_of_money"
_ONE = "SELECT * FROM batches WHERE id = $1"
_FIND = "SELECT id FROM batches WHERE owner = $1 AND (id = $2 OR name = $3)"
_PAGE = "SELECT * FROM batches WHERE owner = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
_COUNTS = """
SELECT b.batch_id, coalesce(r.status, CASE WHEN b.error IS NULL THEN 'planned' ELSE 'refused' END) AS state,
  count(*) AS runs, coalesce(sum(r.spent), 0) AS spent, count(*) FILTER (WHERE r.short_of_money) AS short,
  count(*) FILTER (WHERE r.status = 'paused' AND r.reason ->> 'code' = 'out_of_money') AS broke
FROM batch_runs b LEFT JOIN runs r ON r.id = b.run_id WHERE b.batch_id = ANY($1) GROUP BY 1, 2
"""
# The last turn_complete of a run holds its metrics; it is among the last few lines of the log.
_ROWS = """
SELECT b.place, b.variation, b.varied, b.seed, b.repetition, b.run_id, b.error, r.status, r.outcome, r.turn, r.spent,
  r.number, r.reason, t.name AS scenario, told.metrics
FROM batch_runs b LEFT JOIN runs r ON r.id = b.run_id LEFT JOIN templates t ON t.id = r.template_id
LEFT JOIN LATERAL (
  SELECT e.body -> 'metrics' AS metrics FROM entries e WHERE e.run_id = r.id AND e.kind = 'turn_complete'
  ORDER BY e.seq DESC LIMIT 1
) told ON true
WHERE b.batch_id = $1 ORDER BY b.place
"""


async def find(conn: Connection, owner: str, wanted: str) -> UUID:
    """A batch of that owner, by id or name. Raises NotFound."""
    try:
        as_id: UUID | None = UUID(wanted)
    except ValueError:
        as_id = None
    found: UUID | None = await conn.fetchval(_FIND, owner, as_id, wanted)
    if found is None:
        raise NotFound(f"there is no batch {wanted}")
    return found


async def read(conn: Connection, batch_id: UUID) -> Batch:
    """One batch. Raises NotFound."""
    row = await conn.fetchrow(_ONE, batch_id)
    if row is None:
        raise NotFound(f"there is no batch {batch_id}")
    return (await _shown(conn, [row]))[0]


async def page(conn: Connection, owner: str, after: str | None, limit: int) -> Page[Batch]:
    """The owner's batches, newest first."""
    try:
        before = None if after is None else UUID(after)
    except ValueError:
        raise Invalid(f"`after` is not a batch's id: {after}") from None
    rows = await conn.fetch(_PAGE, owner, before, limit + 1)
    items = await _shown(conn, rows[:limit])
    return Page(items=items, next=items[-1].id if len(rows) > limit else None)


async def _shown(conn: Connection, rows: Sequence[Any]) -> list[Batch]:
    counted: dict[UUID, list[Any]] = {}
    for row in await conn.fetch(_COUNTS, [row["id"] for row in rows]):
        counted.setdefault(row["batch_id"], []).append(row)
    return [_batch(row, counted.get(row["id"], [])) for row in rows]


def _batch(row: Any, counted: Sequence[Any]) -> Batch:
    config = json.loads(row["config"])
    counts = {one["state"]: one["runs"] for one in counted}
    spent = sum((one["spent"] for one in counted), Decimal(0))
    left = None if row["budget"] is None else max(Decimal(0), row["budget"] - spent)
    broke = sum(one["broke"] for one in counted)
    waits_for = None
    if broke and counts.get(PLANNED) and row["status"] == "running":
        waits_for = f"{broke} of its runs ran out of money: raise the budget or their limits"
    return Batch(
        id=str(row["id"]),
        name=row["name"],
        title=config["config"].get("title", ""),
        scenario=config["name"],
        version=config["config"]["version"],
        status=row["status"],
        owner=row["owner"],
        runs=row["runs"],
        variations=config["variations"],
        counts=counts,
        ended=sum(count for state, count in counts.items() if state in TERMINAL or state == REFUSED),
        at_once=row["at_once"],
        budget=row["budget"],
        spent=spent,
        left=left,
        waits_for=waits_for,
        pool=row["pool"],
        sha256=row["sha256"],
        created_at=row["created_at"].isoformat(),
    )


async def rows(conn: Connection, batch_id: UUID) -> list[BatchRun]:
    """Every run of a batch, in its order."""
    return [_row(row) for row in await conn.fetch(_ROWS, batch_id)]


def _row(row: Any) -> BatchRun:
    reason = None if row["reason"] is None else json.loads(row["reason"]).get("message")
    return BatchRun(
        place=row["place"],
        variation=row["variation"],
        varied=json.loads(row["varied"]),
        seed=row["seed"],
        repetition=row["repetition"],
        run_id=None if row["run_id"] is None else str(row["run_id"]),
        run=None if row["number"] is None else f"{row['scenario']}/run-{row['number']:03d}",
        status=row["status"] or (PLANNED if row["error"] is None else REFUSED),
        outcome=row["outcome"],
        error=row["error"] or reason,
        turns=row["turn"] or 0,
        cost=row["spent"] or Decimal(0),
        metrics=flat(json.loads(row["metrics"]) if row["metrics"] else {}),
    )


def flat(metrics: dict[str, Any]) -> dict[str, Any]:
    """`name[seat]` for the values of a metric that has one for each seat."""
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, dict):
            found |= {f"{name}[{seat}]": one for seat, one in value.items()}
        else:
            found[name] = value
    return found
