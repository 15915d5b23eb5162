"""What a transaction does to events that wait for a person. As in `store`: on the caller's connection, under the lock
of the run, rows in the order of their ids; whoever calls rings the lanes that are returned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from pyscrai_api.database import Connection
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.states import Final
from pyscrai_api.queue.store import EndedRow, FinishRow, LeaseEnded, Place, Woken

RECORDED = "recorded"
"""The rule of a replay: what was recorded of a person is taken at once."""


class Asking(NamedTuple):
    """One event that a person is asked for. `seconds` None: without a deadline."""

    event_id: int
    seat: str
    rule: str
    seconds: float | None


class Waits(NamedTuple):
    """An event that waits for a person, under a number."""

    event_id: int
    lease_no: int


@dataclass(frozen=True, kw_only=True)
class Passed:
    """An event whose deadline is over."""

    event_id: int
    lease_no: int
    kind: str
    rule: str
    proposed: str | None
    step: int
    ordinal: int


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a person said in a recording; `result` None: nothing."""

    event_type: str
    seat: str
    phase: str | None
    result: str | None


async def ask(conn: Connection, run_id: UUID, asked: Sequence[Asking]) -> None:
    """Put waiting events into the inbox."""
    if asked:
        columns = [list(column) for column in zip(*asked, strict=True)]
        await conn.execute(sql("people", "ask"), run_id, *columns)


async def recorded(conn: Connection, run_id: UUID, step: int) -> Mapping[int, Recorded]:
    """By ordinal: what people said, or let pass, in one step of a run."""
    rows = await conn.fetch(sql("people", "recorded"), run_id, step)
    return {
        row["ordinal"]: Recorded(
            event_type=row["event_type"],
            seat=row["seat"],
            phase=row["phase"],
            result=row["result"] if row["state"] == Final.SUCCEEDED else None,
        )
        for row in rows
    }


async def answered_by_models(conn: Connection, run_id: UUID, step: int) -> frozenset[int]:
    """The ordinals of one step of a run that engines answered."""
    return frozenset(row["ordinal"] for row in await conn.fetch(sql("people", "answered_by_models"), run_id, step))


async def propose_rows(
    conn: Connection, engine_id: UUID, items: Sequence[FinishRow], rules: Mapping[int, tuple[str, float | None]]
) -> list[EndedRow]:
    """Answers that a person is to look at first (`rules`: event → rule and seconds). One answer per item, in order;
    `ended` where the event waits for a person now. An item that was said before is `done`."""
    if not items:
        return []
    first = {item.event_id: item for item in reversed(items)}
    told = [rules[event_id] for event_id in first]
    rows = await conn.fetch(
        sql("people", "propose"),
        list(first), [item.lease_no for item in first.values()], [item.result_text for item in first.values()],
        [rule for rule, _ in told], [seconds for _, seconds in told], engine_id,
    )  # fmt: skip
    ended = {row["id"]: row["lease_no"] for row in rows}
    missed = [item for item in first.values() if item.event_id not in ended]
    again = await conn.fetch(
        sql("people", "proposed_before"), [i.event_id for i in missed], [i.lease_no for i in missed], engine_id
    )
    before = {row["event_id"] for row in again}
    answers = []
    for item in items:
        number = ended.pop(item.event_id, None)
        if number is not None:
            before.add(item.event_id)
            answers.append(EndedRow(item.event_id, "done", True, number))
        else:
            answers.append(EndedRow(item.event_id, "done" if item.event_id in before else "stale"))
    return answers


async def take(
    conn: Connection, run_id: UUID, seat: str, rule: str, seconds: float | None
) -> tuple[int, list[LeaseEnded]]:
    """Everything open of a seat waits for a person. Returns how many events were a model's, and the leases it ended."""
    await conn.execute(sql("people", "own"), run_id, seat, rule, seconds)
    rows = await conn.fetch(sql("people", "take"), run_id, seat, rule, seconds)
    return len(rows), [LeaseEnded(row["id"], row["lease_no"]) for row in rows if row["leased"]]


async def submit(conn: Connection, wanted: Waits, result: str, by: str | None, ended: str = "submitted") -> bool:
    """The outcome of a waiting event, if it still waits under this number. `result`: canonical JSON."""
    return await conn.fetchval(sql("people", "submit"), *wanted, result, by, ended) is not None


async def skip(conn: Connection, items: Sequence[Waits]) -> int:
    """Events that end without a result; returns how many did."""
    rows = await conn.fetch(sql("people", "skip"), [i.event_id for i in items], [i.lease_no for i in items])
    return len(rows)


async def to_model(
    conn: Connection, items: Sequence[Waits], ended: str, by: str | None, remarks: Sequence[Mapping[str, Any]] = ()
) -> list[Woken]:
    """Events that a model answers now; returns those that still waited, where they are ready."""
    ids, numbers = [i.event_id for i in items], [i.lease_no for i in items]
    rows = await conn.fetch(sql("people", "to_model"), ids, numbers, ended, by, json.dumps(list(remarks)))
    return [Woken(row["id"], row["lane"], Place(row["rank"], row["pass"], row["id"])) for row in rows]


async def waiting_of(conn: Connection, run_id: UUID, seat: str) -> list[Waits]:
    """What waits for a person at one seat."""
    rows = await conn.fetch(sql("people", "waiting_of"), run_id, seat)
    return [Waits(row["event_id"], row["lease_no"]) for row in rows]


async def passed(conn: Connection, ids: Sequence[int]) -> list[Passed]:
    """Those of `ids` whose deadline is over."""
    return [Passed(**dict(row)) for row in await conn.fetch(sql("people", "passed"), ids)]


async def wait_on(conn: Connection, ids: Sequence[int]) -> None:
    """No deadline for these any more."""
    await conn.execute(sql("people", "no_deadline"), ids)


async def anew(conn: Connection, run_id: UUID) -> None:
    """Everybody whom a run waits for has their whole time again."""
    await conn.execute(sql("people", "anew"), run_id)


async def cancelled(conn: Connection, run_id: UUID) -> None:
    """Nobody is waited for any more. Before the queue rows are gone."""
    await conn.execute(sql("people", "cancelled"), run_id)
