"""Light events: each that was sent exists once, each that was acknowledged is over, with the one right result."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import asyncpg
from tests.chaos.memory import Fate, Memory, Sent, Violation
from tests.chaos.work import value_of

FATES: dict[int, Fate] = {1: "finished", 2: "cancelled", 3: "discarded"}
AT_ONCE = 5000
_ALL = """
SELECT e.id, e.payload, e.dedupe_key, o.state, o.lease_no, o.result, o.finished_at
FROM events e LEFT JOIN outcomes o ON o.event_id = e.id WHERE e.run_id IS NULL ORDER BY e.id
"""
_FIRST_ATTEMPTS = """
SELECT a.event_id, min(a.ended_at) AS ended_at FROM attempts a
JOIN events e ON e.id = a.event_id AND e.run_id IS NULL GROUP BY a.event_id
"""
_LEASED = """
SELECT e.id, l.lease_no, l.leased_at FROM (
  SELECT event_id, lease_no, leased_at FROM attempts UNION ALL SELECT event_id, lease_no, leased_at FROM outcomes
) l JOIN events e ON e.id = l.event_id AND e.run_id IS NULL AND e.event_type = $1
WHERE l.leased_at > $2 AND l.leased_at < $3 ORDER BY l.leased_at LIMIT 20
"""


async def check_light(connection: asyncpg.Connection, memory: Memory, figures: dict[str, Any]) -> list[Violation]:
    """Every light event in the database, then every one in memory that was not among them."""
    first = {row["event_id"]: row["ended_at"] for row in await connection.fetch(_FIRST_ATTEMPTS)}
    found: list[Violation] = []
    known: dict[int, int] = {}
    fates: Counter[str] = Counter()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in connection.cursor(_ALL, prefetch=AT_ONCE):
            payload = json.loads(row["payload"])
            sent = memory.sent.get(payload.get("n", -1))
            fates[FATES.get(row["state"], "live")] += 1
            if sent is None:
                told = row["payload"][:200]
                found.append(Violation(rule="somebody sent it", event=row["id"], expected="nothing", found=told))
                continue
            found += _identity(row, payload, sent, known.get(sent.n))
            known[sent.n] = row["id"]
            found += _ending(row, sent)
            found += _beginning(row, sent, first.get(row["id"]))
    found += _missing(memory, known)
    found += await _at_rest(connection, memory)
    figures["light"] = {
        "sent": len(memory.sent),
        "acknowledged": memory.acknowledged,
        "found": fates.total(),
        **fates,
        "doubled": memory.doubled,
        "pauses": memory.pauses,
        "pauses_checked": len(memory.stopped),
        "scheduled": sum(sent.due is not None for sent in memory.sent.values()),
    }
    return found


def _identity(row: Any, payload: dict[str, Any], sent: Sent, before: int | None) -> Iterator[Violation]:
    event = row["id"]
    if before is not None:
        yield Violation(
            rule="made once", event=event, expected=f"event number {sent.n} once, as {before}", found="it a second time"
        )
    elif sent.event is not None and sent.event != event:
        found = f"number {sent.n} as another event than the acknowledged {sent.event}"
        yield Violation(rule="made once", event=event, expected=f"event {sent.event}", found=found)
    if value_of(payload) != sent.value or row["dedupe_key"] != sent.dedupe_key:
        yield Violation(
            rule="kept as sent",
            event=event,
            expected=f"the payload of number {sent.n} under the dedupe_key {sent.dedupe_key}",
            found=f"{row['payload'][:200]} under {row['dedupe_key']}",
        )


def _ending(row: Any, sent: Sent) -> Iterator[Violation]:
    event, lease = row["id"], row["lease_no"]
    if row["state"] is None:
        return  # `everything ends` names what is live
    fate = FATES[row["state"]]
    if fate not in sent.fates:
        yield Violation(rule="its fate", event=event, lease=lease, expected=" or ".join(sorted(sent.fates)), found=fate)
    if fate != "finished":
        return
    right = {"value": sent.value, "event": event, "lease": lease}
    result = json.loads(row["result"])
    if result != right:
        yield Violation(rule="the right result", event=event, lease=lease, expected=str(right), found=str(result))


def _beginning(row: Any, sent: Sent, first: datetime | None) -> Iterator[Violation]:
    """What was scheduled was not worked on before its time. Suite and database have the same clock. Ends are looked at:
    a claim is dated by the beginning of its transaction, which may be before it saw anything."""
    ended = [moment for moment in (row["finished_at"] if row["state"] == 1 else None, first) if moment is not None]
    if sent.due is not None and ended and min(ended) < sent.due:
        expected, told = f"no end of a lease before {sent.due.isoformat()}", min(ended).isoformat()
        yield Violation(rule="not too early", event=row["id"], expected=expected, found=told)


async def _at_rest(connection: asyncpg.Connection, memory: Memory) -> list[Violation]:
    """While a type was paused, and the API had said that it was at rest, nothing of it was given out."""
    return [
        Violation(
            rule="what is paused rests",
            event=row["id"],
            lease=row["lease_no"],
            expected=f"no lease of {one.event_type} from {one.since.isoformat()} to {one.until.isoformat()}",
            found=f"one since {row['leased_at'].isoformat()}",
        )
        for one in memory.stopped
        for row in await connection.fetch(_LEASED, one.event_type, one.since, one.until)
    ]


def _missing(memory: Memory, known: dict[int, int]) -> Iterator[Violation]:
    for sent in memory.sent.values():
        if sent.event is not None and sent.n not in known:
            found = f"no event number {sent.n} at all"
            yield Violation(rule="nothing is lost", event=sent.event, expected="what was acknowledged", found=found)
