"""The family of a run: the first one that it comes from, and every branch of it and of its branches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from pyscrai.contract.branches import Family, Relative
from pyscrai.domain.canonical import canonical, normalise
from pyscrai_api.database import Connection

MOST = 500
"""Runs of a family that are shown."""
CHANGES = 120
"""Lines that a branch begins with, at most: one for each thing that was changed."""
_FAMILY = """
WITH RECURSIVE up (id, parent_id) AS (
  SELECT id, parent_id FROM runs WHERE id = $1
  UNION ALL SELECT r.id, r.parent_id FROM runs r JOIN up ON r.id = up.parent_id
), down (id) AS (
  SELECT id FROM up WHERE parent_id IS NULL
  UNION ALL SELECT r.id FROM runs r JOIN down ON r.parent_id = down.id WHERE r.replay_of IS NULL
)
SELECT r.id, r.number, r.serial, r.title, r.parent_id, r.branch_turn, r.branch_seq, r.status, r.outcome, r.turn,
  r.spent, r.digest, r.choices, t.name, count(*) OVER () AS family
FROM down JOIN runs r ON r.id = down.id JOIN templates t ON t.id = r.template_id
WHERE r.owner = $3 OR r.visibility = 'shared' ORDER BY r.id LIMIT $2
"""
_LINES = """
SELECT e.run_id, e.kind, e.canonical FROM entries e JOIN runs r ON r.id = e.run_id
WHERE e.run_id = ANY($1::uuid[]) AND e.seq > r.branch_seq AND e.seq <= r.branch_seq + $2 ORDER BY e.run_id, e.seq
"""
_ENTERING = ("seat_changed", "edit", "input", "metric")


async def family(conn: Connection, run_id: UUID, owner: str) -> Family:
    """A run's family as far as `owner` may read it, each run after its parent, brothers and sisters by age."""
    rows = await conn.fetch(_FAMILY, run_id, MOST, owner)
    entered: dict[UUID, list[str]] = {}
    over: set[UUID] = set()
    for line in await conn.fetch(_LINES, [row["id"] for row in rows if row["parent_id"]], CHANGES):
        if line["kind"] not in _ENTERING:
            over.add(line["run_id"])
        elif line["run_id"] not in over:
            entered.setdefault(line["run_id"], []).append(_sentence(json.loads(line["canonical"])))
    choices = {row["id"]: json.loads(row["choices"]) for row in rows}
    shown = {row["id"]: _relative(row, [*_chosen(row, choices), *entered.get(row["id"], [])]) for row in rows}
    in_order = [shown[run] for run in _in_order(rows)]
    left_out = rows[0]["family"] - len(rows) if rows else 0
    scenario = rows[0]["name"] if rows else ""
    return Family(run_id=str(run_id), scenario=scenario, runs=in_order, left_out=left_out)


def _in_order(rows: list[Any]) -> Iterator[UUID]:
    """Depth first; without recursion, since a chain of branches may be as long as a family."""
    there = {row["id"] for row in rows}
    children: dict[UUID | None, list[UUID]] = {}
    for row in rows:
        parent = row["parent_id"] if row["parent_id"] in there else None
        children.setdefault(parent, []).append(row["id"])
    ahead = list(reversed(children.get(None, [])))
    while ahead:
        run = ahead.pop()
        yield run
        ahead += reversed(children.get(run, []))


def _relative(row: Any, changed: list[str]) -> Relative:
    return Relative(
        id=str(row["id"]),
        label=f"run-{row['number']:03d}",
        serial=row["serial"],
        title=row["title"],
        parent_id=None if row["parent_id"] is None else str(row["parent_id"]),
        turn=row["branch_turn"],
        seq=row["branch_seq"],
        changed=changed,
        status=row["status"],
        outcome=row["outcome"],
        turns_played=row["turn"],
        spent=row["spent"],
        log_digest=row["digest"],
    )


def _chosen(row: Any, choices: Mapping[UUID, Mapping[str, Any]]) -> Iterator[str]:
    """What was chosen otherwise for the whole run."""
    before = choices.get(row["parent_id"])
    if before is None:
        return
    own = choices[row["id"]]
    for name in ("turns", "seed"):
        if own.get(name) != before.get(name):
            yield f"{name}: {own.get(name)}"


def _sentence(line: Mapping[str, Any]) -> str:
    body: Mapping[str, Any] = line["body"]
    if line["kind"] == "seat_changed":
        told = ", ".join(f"{name} {value}" for name, value in body.items() if name != "seat" and value is not None)
        return f"{body.get('seat') or 'everybody'}: {told}"
    if line["kind"] == "input":
        return f"told {body.get('to') or 'all'}: {_shortened(body['text'])}"
    if line["kind"] == "metric":
        return f"{body['metric']}: {_shortened(body['value'])}"
    if "fields" in body:
        return ", ".join(f"{line['seat']}.{name}: {_shortened(value)}" for name, value in body["fields"].items())
    facts = [f"{name}: {_shortened(value)}" for name, value in (body.get("facts") or {}).items()]
    return ", ".join([*(["the world told anew"] if body.get("world") else []), *facts])


def _shortened(value: Any) -> str:
    text = value if isinstance(value, str) else canonical(normalise(value))
    return text if len(text) <= 80 else f"{text[:79]}…"
