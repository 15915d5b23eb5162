"""Runs: each that was asked for exists once and ended as it should, with the story, the results and the digest of the
undisturbed run of the same piece, and with money that adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg
from tests.chaos.memory import Begun, Memory, Violation

LABEL = "chaos"
"""The label that carries the key under which a run was asked for."""
_RUNS = """
SELECT r.id, r.status, r.reason, r.digest, r.last_seq, r.spent, r.reserved, r.limit_usd, r.labels ->> 'chaos' AS key,
  coalesce(c.cost, 0) AS cost, coalesce(c.calls, 0) AS calls, n.story, n.lines, o.results, o.events
FROM runs r
LEFT JOIN (SELECT run_id, sum(cost) AS cost, count(*) AS calls FROM calls GROUP BY run_id) c ON c.run_id = r.id
LEFT JOIN (
  SELECT run_id, md5(string_agg(canonical, E'\\n' ORDER BY seq)) AS story, count(*) AS lines FROM entries
  WHERE track = 'story' GROUP BY run_id
) n ON n.run_id = r.id
LEFT JOIN (
  SELECT e.run_id, count(*) AS events, md5(string_agg(
    concat_ws('|', e.step, e.ordinal, e.event_type, e.seat, o.state, o.result), E'\\n' ORDER BY e.step, e.ordinal, e.id
  )) AS results
  FROM events e LEFT JOIN outcomes o ON o.event_id = e.id WHERE e.run_id IS NOT NULL GROUP BY e.run_id
) o ON o.run_id = r.id
"""
_NUMBERS = """
SELECT run_id, count(*) AS lines, min(seq) AS first, max(seq) AS last,
  count(*) FILTER (WHERE track = 'story') AS told,
  count(DISTINCT (step, n)) FILTER (WHERE track = 'story') AS places FROM entries GROUP BY run_id
"""
_PLACES = """
SELECT run_id, step, ordinal, array_agg(id ORDER BY id) AS ids FROM events WHERE run_id IS NOT NULL
GROUP BY run_id, step, ordinal HAVING count(*) > 1 LIMIT 20
"""
_STORY = "SELECT seq, canonical FROM entries WHERE run_id = $1 AND track = 'story' ORDER BY seq"
_RESULTS = """
SELECT e.id, e.step, e.ordinal, e.event_type, e.seat, o.state, o.lease_no, o.result FROM events e
LEFT JOIN outcomes o ON o.event_id = e.id WHERE e.run_id = $1 ORDER BY e.step, e.ordinal, e.id
"""


async def check_runs(connection: asyncpg.Connection, memory: Memory, figures: dict[str, Any]) -> list[Violation]:
    """Every run in the database, then every one in memory that was not among them."""
    runs = {row["id"]: row for row in await connection.fetch(_RUNS)}
    found = [*_known(runs, memory), *await _numbered(connection, runs)]
    for row in runs.values():
        found += _paid(row)
    compared: Counter[str] = Counter()
    for begun in memory.begun.values():
        row = None if begun.run is None else runs.get(UUID(begun.run))
        if row is None:
            if begun.run is not None:
                expected = f"{begun.piece}, as acknowledged"
                found.append(Violation(rule="nothing is lost", run=begun.run, expected=expected, found="no run"))
            continue
        found += _ended(begun, row)
        reference = runs.get(UUID(memory.references[begun.piece]))
        if reference is not None and row["status"] == "completed":
            compared["digests"] += 1
            found += await _same(connection, begun, row, reference)
        elif reference is not None and row["status"] == "cancelled":
            compared["beginnings"] += 1
            found += await _beginning(connection, begun, row, reference)
    figures["runs"] = {
        "asked_for": len(memory.begun),
        "found": len(runs),
        "references": len(memory.references),
        **Counter(row["status"] for row in runs.values()),
        "digests_compared": compared["digests"],
        "beginnings_compared": compared["beginnings"],
        "calls": sum(row["calls"] for row in runs.values()),
        "cost": f"{sum(row['cost'] for row in runs.values()):f}",
        **{f"role {role}": number for role, number in Counter(b.role for b in memory.begun.values()).items()},
    }
    return found


def _known(runs: Mapping[UUID, Any], memory: Memory) -> Iterator[Violation]:
    """Nobody else began a run, and none was begun twice under one key."""
    seen: dict[str, UUID] = {}
    references = {UUID(run) for run in memory.references.values()}
    for run_id, row in runs.items():
        key = row["key"]
        if run_id in references:
            continue
        if key not in memory.begun:
            yield Violation(rule="somebody sent it", run=str(run_id), expected="no run", found=f"one for {key}")
        elif key in seen:
            expected = f"for {key} {seen[key]} alone"
            yield Violation(rule="made once", run=str(run_id), expected=expected, found="a second one")
        seen[key] = run_id


async def _numbered(connection: asyncpg.Connection, runs: Mapping[UUID, Any]) -> list[Violation]:
    """Logs are numbered 1, 2, 3 …; each place in a step has one line and one event."""
    found = []
    for row in await connection.fetch(_NUMBERS):
        last = runs[row["run_id"]]["last_seq"]
        if (row["first"], row["last"], row["lines"]) != (1, last, last):
            told = f"{row['lines']} lines from {row['first']} to {row['last']}"
            found.append(Violation(rule="logs are whole", run=str(row["run_id"]), expected=f"1 to {last}", found=told))
        if row["places"] != row["told"]:
            told = f"{row['told']} lines of the story in {row['places']} places"
            found.append(Violation(rule="each once", run=str(row["run_id"]), expected="a place for each", found=told))
    for row in await connection.fetch(_PLACES):
        expected = f"one event at step {row['step']}, ordinal {row['ordinal']}"
        found.append(Violation(rule="each once", run=str(row["run_id"]), expected=expected, found=str(row["ids"])))
    return found


def _paid(row: Any) -> Iterator[Violation]:
    run, spent, limit = str(row["id"]), row["spent"], row["limit_usd"]
    if spent != row["cost"]:
        expected = f"{row['cost']}, the sum of its calls"
        yield Violation(rule="money adds up", run=run, expected=expected, found=f"{spent}")
    if limit is not None and spent > limit:
        yield Violation(rule="limits hold", run=run, expected=f"{limit} at most", found=f"{spent}")
    if row["reserved"] != 0:
        yield Violation(rule="money adds up", run=run, expected="nothing reserved", found=f"{row['reserved']}")


def _ended(begun: Begun, row: Any) -> Iterator[Violation]:
    wanted = {"completed"}
    if begun.cancel == "yes":
        wanted = {"cancelled"}
    elif begun.cancelling and begun.cancel is None:
        wanted.add("cancelled")
    if row["status"] not in wanted:
        told = row["status"] + (f": {row['reason']}" if row["reason"] else "")
        yield Violation(rule="its fate", run=str(row["id"]), expected=" or ".join(sorted(wanted)), found=told)


async def _same(connection: asyncpg.Connection, begun: Begun, row: Any, reference: Any) -> list[Violation]:
    """Results, story and digest of the undisturbed run."""
    found, run = [], str(row["id"])
    if row["results"] != reference["results"]:
        found += await _first_other_result(connection, row["id"], reference["id"])
    if row["story"] != reference["story"]:
        expected, told = await _first_other_line(connection, row["id"], reference["id"])
        found.append(Violation(rule="the same story", run=run, expected=expected, found=told))
    if row["digest"] != reference["digest"]:
        expected = f"{reference['digest']}, as undisturbed ({begun.piece})"
        found.append(Violation(rule="the same digest", run=run, expected=expected, found=row["digest"]))
    return found


async def _first_other_result(connection: asyncpg.Connection, run: UUID, reference: UUID) -> list[Violation]:
    ours, theirs = await connection.fetch(_RESULTS, run), await connection.fetch(_RESULTS, reference)
    said = ("step", "ordinal", "event_type", "seat", "state", "result")
    for one, other in zip(ours, theirs, strict=False):
        right, ours_says = (str([row[name] for name in said]) for row in (other, one))
        if right != ours_says:
            event, lease = one["id"], one["lease_no"]
            expected, told = _where_they_part(right, ours_says)
            return [
                Violation(
                    rule="the right result", event=event, lease=lease, run=str(run), expected=expected, found=told
                )
            ]
    return [
        Violation(rule="the right result", run=str(run), expected=f"{len(theirs)} events", found=f"{len(ours)} events")
    ]


async def _first_other_line(connection: asyncpg.Connection, run: UUID, reference: UUID) -> tuple[str, str]:
    ours, theirs = await connection.fetch(_STORY, run), await connection.fetch(_STORY, reference)
    for one, other in zip(ours, theirs, strict=False):
        if one["canonical"] != other["canonical"]:
            expected, told = _where_they_part(other["canonical"], one["canonical"])
            return expected, f"as line {one['seq']}: {told}"
    return f"{len(theirs)} lines", f"{len(ours)} lines"


def _where_they_part(one: str, other: str) -> tuple[str, str]:
    """Two texts, from shortly before their first difference on."""
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    begin = max(0, at - 150)
    return one[begin : at + 250], other[begin : at + 250]


async def _beginning(connection: asyncpg.Connection, begun: Begun, row: Any, reference: Any) -> list[Violation]:
    """What was cancelled tells the beginning of the same story."""
    ours = [line["canonical"] for line in await connection.fetch(_STORY, row["id"])]
    theirs = [line["canonical"] for line in await connection.fetch(_STORY, reference["id"])]
    if ours == theirs[: len(ours)]:
        return []
    expected, told = await _first_other_line(connection, row["id"], reference["id"])
    return [Violation(rule="the same story", run=str(row["id"]), expected=expected, found=told)]
