"""The verdict: what the database holds in the end against what the harness sent and what engines were told.

Every check can fail: `tests/integration/chaos/test_verdict.py` plants what each of them is to find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from tests.chaos.light_verdict import check_light
from tests.chaos.memory import Memory, Violation
from tests.chaos.run_verdict import check_runs
from tests.chaos.words import Word, check_words

from pyscrai_api import invariants

MOST_OF_A_RULE = 10
"""Violations of one rule that are named; the others are counted."""
_TOTALS = """
SELECT count(*) AS events, count(*) FILTER (WHERE o.run_id IS NOT NULL) AS of_runs, sum(o.claims) AS claims,
  count(*) FILTER (WHERE o.state = 1 AND o.closing = 1) AS successes, sum(o.failures) AS failures,
  sum(o.losses) AS losses, sum(o.handbacks) AS handbacks,
  count(*) FILTER (WHERE o.state = 2) AS cancelled, coalesce(sum(o.closing) FILTER (WHERE o.state = 2), 0) AS cut_off,
  count(*) FILTER (WHERE o.state = 3) AS discarded
FROM outcomes o
"""
_ATTEMPTS = """
SELECT count(*) FILTER (WHERE kind = 1) AS failures, count(*) FILTER (WHERE kind = 2) AS losses,
  count(*) FILTER (WHERE kind = 3) AS handbacks FROM attempts
"""
_LEASES = """
SELECT o.event_id, o.run_id, o.claims, count(a.event_id) AS attempts, o.closing FROM outcomes o
LEFT JOIN attempts a ON a.event_id = o.event_id GROUP BY o.event_id
HAVING o.claims <> count(a.event_id) + o.closing LIMIT 20
"""
_TWO_ENDS = """
SELECT o.event_id, o.run_id, o.lease_no, a.kind FROM outcomes o
JOIN attempts a ON a.event_id = o.event_id AND a.lease_no = o.lease_no WHERE o.state = 1 LIMIT 20
"""
_LIVE = """
SELECT q.id, q.run_id, q.lane, q.state, q.lease_no, q.error FROM queue q ORDER BY q.id LIMIT 20
"""
_TIMES = """
WITH light AS (
  SELECT e.created_at, o.finished_at,
    e.payload::json ->> 'do' = '{}' AND e.priority = 5 AS plain, o.state = 1 AS done FROM events e
  JOIN outcomes o ON o.event_id = e.id WHERE e.run_id IS NULL
), gaps AS (
  SELECT finished_at - lag(finished_at) OVER (ORDER BY finished_at) AS gap FROM light
)
SELECT (SELECT extract(epoch FROM max(gap)) FROM gaps) AS silence,
  percentile_cont(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - created_at))
    FILTER (WHERE plain AND done) AS waits FROM light
"""
STATES = {1: "scheduled", 2: "ready", 3: "leased", 4: "waiting", 5: "held", 6: "dead"}


@dataclass
class Verdict:
    """`counts`: violations by rule; of each rule the first few are in `violations`. `figures`: what was checked."""

    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Any] = field(default_factory=dict)

    def add(self, found: Iterable[Violation]) -> None:
        for violation in found:
            self.counts[violation.rule] += 1
            if self.counts[violation.rule] <= MOST_OF_A_RULE:
                self.violations.append(violation)

    @property
    def total(self) -> int:
        return self.counts.total()


async def judge(dsn: str, memory: Memory, words: Iterable[Word]) -> Verdict:
    """Look at everything, once all is over and nobody works any more."""
    connection = await asyncpg.connect(dsn)
    try:
        return await judge_over(connection, memory, words)
    finally:
        await connection.close()


async def judge_over(connection: asyncpg.Connection, memory: Memory, words: Iterable[Word]) -> Verdict:
    """The same over a connection that the caller has."""
    found = Verdict()
    found.add(memory.told)
    found.add(await _left_over(connection))
    found.add(await _conserved(connection, found.figures))
    found.add(await check_light(connection, memory, found.figures))
    found.add(await check_runs(connection, memory, found.figures))
    found.add(await check_words(connection, words, found.figures))
    found.add(await _invariant(connection))
    found.figures |= await _times(connection)
    return found


async def _left_over(connection: asyncpg.Connection) -> list[Violation]:
    """Nothing is live any more."""
    return [
        Violation(
            rule="everything ends",
            event=row["id"],
            run=None if row["run_id"] is None else str(row["run_id"]),
            lease=row["lease_no"],
            expected="an outcome",
            found=f"{STATES[row['state']]} in lane {row['lane']}" + (f" ({row['error']})" if row["error"] else ""),
        )
        for row in await connection.fetch(_LIVE)
    ]


async def _conserved(connection: asyncpg.Connection, figures: dict[str, Any]) -> list[Violation]:
    """claims = successes + failures + losses + hand-backs + leases ended by cancel, of each event and of all; and what
    is counted has left its attempt."""
    totals = dict(await connection.fetchrow(_TOTALS))
    attempts = dict(await connection.fetchrow(_ATTEMPTS))
    figures["queue"] = {name: int(value or 0) for name, value in totals.items()}
    ended = sum(int(totals[name] or 0) for name in ("successes", "failures", "losses", "handbacks", "cut_off"))
    found = []
    if int(totals["claims"] or 0) != ended:
        told = f"{ended} successes, failures, losses, hand-backs and cancelled leases"
        found.append(Violation(rule="claims are ends", expected=f"{totals['claims']} claims", found=told))
    for name, number in attempts.items():
        if int(totals[name] or 0) != number:
            told = f"{number} attempts"
            found.append(Violation(rule="claims are ends", expected=f"{totals[name]} {name}", found=told))
    for row in await connection.fetch(_LEASES):
        expected = f"{row['claims']} leases, each with one end"
        told = f"{row['attempts']} attempts and {row['closing']} closing"
        found.append(Violation(rule="claims are ends", event=row["event_id"], expected=expected, found=told))
    for row in await connection.fetch(_TWO_ENDS):
        event, lease = row["event_id"], row["lease_no"]
        told = f"an attempt of kind {row['kind']} beside the result"
        found.append(Violation(rule="one end", event=event, lease=lease, expected="one end of a lease", found=told))
    return found


async def _times(connection: asyncpg.Connection) -> dict[str, Any]:
    """The longest time in which no light event ended, and from post to end, where nothing but a result was asked
    for at the usual priority: median, 99 %, longest; in seconds."""
    row = await connection.fetchrow(_TIMES)
    waits = [round(float(seconds), 3) for seconds in row["waits"] or ()]
    return {"longest_silence": float(row["silence"] or 0), "waits": waits}


async def _invariant(connection: asyncpg.Connection) -> list[Violation]:
    """`invariants.sql` is empty."""
    return [
        Violation(rule=f"invariant {name}", expected="no row", found=f"{len(rows)} rows, such as {rows[0]}")
        for name, rows in (await invariants.broken(connection)).items()
        if rows
    ]


def files_of(folder: Path, pattern: str) -> Sequence[Path]:
    """The files that engines have written, by name."""
    return sorted(folder.glob(pattern))
