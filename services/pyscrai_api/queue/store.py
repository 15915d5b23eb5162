"""What a transaction does to queue rows. Every function works on the caller's connection, inside its transaction.

Lock order everywhere: the run, queue rows by id, money. For events of a run the caller holds the run's lock already;
the statements lock queue rows in the order of their ids. After the commit the caller rings the lanes that are returned
here: nothing in this module notifies anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol, TypeVar
from uuid import UUID

from pyscrai.contract.events import Finished
from pyscrai.domain.work import BUILT_IN_LANES
from pyscrai_api.database import Connection
from pyscrai_api.queue.fairness import Fairness, Seen
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.states import Ended, Live

RUN_RETRY_BASE = 1.0
"""Seconds before the first retry of a run's event; doubled each time, with jitter."""
LOOSE_RETRY_BASE = 30.0
"""The same for events without a run (30, 60, 120 s)."""

State = Literal["done", "stale", "unknown"]
DETAIL: dict[State, str] = {
    "done": "",
    "stale": "the lease is no longer this engine's",
    "unknown": "there is no such event",
}


class Place(NamedTuple):
    """Where a row stands in its lane: claims go through rows in this order."""

    rank: int
    pass_: int
    id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRow:
    """An event of a step, to be enqueued. `payload`: canonical JSON."""

    ordinal: int
    event_type: str
    lane: str
    payload: str
    seat: str | None = None
    turn: int | None = None
    phase: str | None = None
    priority: int = 5
    state: Live = Live.READY


class Item(Protocol):
    @property
    def event_id(self) -> int: ...
    @property
    def lease_no(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class FinishRow:
    """A success. `lease_no` None: the lease that the engine holds now. `result_text`: canonical JSON."""

    event_id: int
    lease_no: int | None
    result_text: str


@dataclass(frozen=True, slots=True)
class FailRow:
    """A failure. `retry_after`: seconds that the next try waits at least. `permanent`: no next try."""

    event_id: int
    lease_no: int | None
    error: str
    code: str | None = None
    retry_after: float | None = None
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class HandBack:
    """A lease given back. `hold`: the run does not run. With `need` the event is held until so much money is there.

    With `delay` it waits so many seconds, for the `reason` that is shown meanwhile; `code` says what kind of reason.
    Without a run there is nothing to hold: it dies of `error`.
    """

    event_id: int
    lease_no: int | None
    hold: bool = False
    need: Decimal | None = None
    delay: float | None = None
    error: str | None = None
    reason: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class EndedRow:
    """What became of an item: `done` also where the same was accepted before, `ended` only where it took effect now.

    `lease_no` is the lease that ended then. `died`: a dead letter now.
    """

    event_id: int
    state: State
    ended: bool = False
    lease_no: int = 0
    died: bool = False
    woken: Woken | None = None

    @property
    def removed(self) -> bool:
        """Of a success: whether it took a row out of the queue."""
        return self.ended

    def finished(self) -> Finished:
        """As the wire says it."""
        return Finished(event_id=self.event_id, state=self.state, detail=DETAIL[self.state])


@dataclass(frozen=True, slots=True)
class ExpiredRow:
    """A lease that ran out; `died`: once too often."""

    event_id: int
    lease_no: int
    died: bool
    woken: Woken | None


class LeaseEnded(NamedTuple):
    """A lease that ended with its event."""

    event_id: int
    lease_no: int


@dataclass(frozen=True, slots=True)
class Woken:
    """A row that is ready now."""

    event_id: int
    lane: str
    place: Place


class DeadLetter(NamedTuple):
    error: str
    code: str | None


I = TypeVar("I", bound=Item)  # noqa: E741


async def enqueue_step(
    conn: Connection,
    run_id: UUID,
    rows: Sequence[NewRow],
    *,
    step: int,
    last_pass: int,
    owner: str,
    max_failures: int,
    max_losses: int,
    fairness: Fairness | None = None,
) -> tuple[list[int], int, list[Woken]]:
    """Insert the events of a step in one statement. Returns their ids, in order, the run's new last pass, and what is
    ready now.

    `fairness`: what this process remembers of lanes; without it they are looked at from the bottom.
    """
    fairness = fairness or Fairness()
    columns = zip(
        *((r.ordinal, r.event_type, r.lane, r.seat, r.turn, r.phase, r.payload, r.priority, r.state) for r in rows),
        strict=True,
    )
    arrays = [list(column) for column in columns]
    places = fairness.places(owner, ((row.lane, 9 - row.priority) for row in rows))
    made = await conn.fetch(
        sql("enqueue", "step"), run_id, step, last_pass, owner, *arrays, max_failures, max_losses,
        *places, fairness.by_owner,
    )  # fmt: skip
    by_place: dict[tuple[str, int], list[Any]] = {}
    for row in made:
        by_place.setdefault((row["lane"], row["rank"]), []).append(row)
    for (lane, rank), rows_there in by_place.items():
        fairness.saw(lane, rank, seen_of(rows_there))
    ready = [woken(row) for row in made if row["state"] == Live.READY]
    return [row["id"] for row in made], max((row["pass"] for row in made), default=last_pass), ready


def seen_of(rows: Sequence[Any]) -> Seen:
    """What an enqueue saw of a lane and rank, from the rows that it made there (state, pass, low, found)."""
    ready = [row["pass"] for row in rows if row["state"] == Live.READY]
    return Seen(rows[0]["low"], rows[0]["found"], min(ready, default=None), max(row["pass"] for row in rows))


async def lock_rows(conn: Connection, *groups: Sequence[Item]) -> None:
    """Before several of the functions below work on their own groups of events in one transaction: lock all their rows
    in the order of ids. Each function locks in order, but one after the other they do not, and a heartbeat that renews
    the same leases at that moment would wait for them as they wait for it.
    """
    if sum(1 for group in groups if group) > 1:
        await conn.execute(sql("finish", "lock"), [item.event_id for group in groups for item in group])


async def lock_run_rows(conn: Connection, run_id: UUID) -> None:
    """The same for every live row of a run."""
    await conn.execute(sql("control", "lock_run"), run_id)


async def finish_rows(conn: Connection, engine_id: UUID, items: Sequence[FinishRow]) -> list[EndedRow]:
    """Outcomes for the leases that are still this engine's. One answer per item, in order."""
    if not items:
        return []
    once = _once(items)
    rows = await conn.fetch(
        sql("finish", "succeed"),
        [i.event_id for i in once], [i.lease_no for i in once], [i.result_text for i in once], engine_id,
    )  # fmt: skip
    if late := [row for row in rows if row["late"]]:
        await conn.execute(
            sql("finish", "succeed_late"), [row["event_id"] for row in late], [row["lease_no"] for row in late]
        )
    ended = {row["event_id"]: EndedRow(row["event_id"], "done", True, row["lease_no"]) for row in rows}
    return await _answers(conn, engine_id, items, ended, 0)


async def fail_rows(
    conn: Connection,
    engine_id: UUID,
    items: Sequence[FailRow],
    *,
    own_retry: bool = False,
    base: float = LOOSE_RETRY_BASE,
) -> list[EndedRow]:
    """Failures: each is tried again after a while that doubles, or is dead. One answer per item, in order.

    `base`: seconds of the first wait; `own_retry` takes that of runs.
    """
    if not items:
        return []
    once = _once(items)
    rows = await conn.fetch(
        sql("finish", "fail"),
        [i.event_id for i in once], [i.lease_no for i in once], [i.error for i in once], [i.code for i in once],
        [i.retry_after for i in once], [i.permanent for i in once], RUN_RETRY_BASE if own_retry else base, engine_id,
    )  # fmt: skip
    ended = {row["id"]: EndedRow(row["id"], "done", True, row["lease_no"], row["died"]) for row in rows}
    return await _answers(conn, engine_id, items, ended, Ended.FAILED)


async def hand_back_rows(conn: Connection, engine_id: UUID, items: Sequence[HandBack]) -> list[EndedRow]:
    """Leases given back uncounted. One answer per item, in order."""
    if not items:
        return []
    once = _once(items)
    rows = await conn.fetch(
        sql("finish", "hand_back"),
        [i.event_id for i in once], [i.lease_no for i in once], [i.need for i in once], engine_id,
        [i.hold for i in once], [i.delay for i in once], [i.error for i in once],
        [i.reason for i in once], [i.code for i in once],
    )  # fmt: skip
    ended = {row["id"]: _handed_back(row) for row in rows}
    return await _answers(conn, engine_id, items, ended, Ended.HANDED_BACK)


async def expire_rows(conn: Connection, ids: Sequence[int]) -> list[ExpiredRow]:
    """Take back those of `ids` whose lease is still over; rows that somebody holds are left for the next sweep."""
    rows = await conn.fetch(sql("finish", "expire"), ids)
    return [ExpiredRow(row["id"], row["lease_no"], row["died"], None if row["died"] else woken(row)) for row in rows]


async def cancel_rows(conn: Connection, run_id: UUID) -> list[LeaseEnded]:
    """Every live event of a run ends cancelled. Returns the leases that ended so; their late words are stale."""
    return _leases_ended(await conn.fetch(sql("control", "cancel_run"), run_id))


async def redrive_rows(conn: Connection, ids: Sequence[int], *, failures: int = 3, losses: int = 10) -> list[int]:
    """Those of `ids` that are dead letters made ready, with so many further tries. Returns which."""
    return [row.event_id for row in await redriven(conn, ids, failures=failures, losses=losses)]


async def redriven(conn: Connection, ids: Sequence[int], *, failures: int = 3, losses: int = 10) -> list[Woken]:
    """The same, with where they are ready."""
    return [woken(row) for row in await conn.fetch(sql("control", "redrive"), ids, failures, losses)]


async def discard_rows(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Those of `ids` that are dead letters given up. Returns which; each is a finish without a result."""
    return [row["event_id"] for row in await conn.fetch(sql("control", "discard"), ids)]


async def release_held(conn: Connection, run_id: UUID) -> list[Woken]:
    """All held events of a run made ready."""
    return [woken(row) for row in await conn.fetch(sql("control", "release_run"), run_id)]


async def release_needs(conn: Connection, ids: Sequence[int]) -> list[Woken]:
    """Those of `ids` that are held made ready."""
    return [woken(row) for row in await conn.fetch(sql("control", "release"), ids)]


async def move_pool(conn: Connection, run_id: UUID, pool: str | None) -> set[str]:
    """Move a run's live events to a pool (None: the plain lanes). Returns the lanes that they are in now."""
    return {row["lane"] for row in await conn.fetch(sql("control", "move"), run_id, pool, list(BUILT_IN_LANES))}


async def last_error(conn: Connection, event_id: int) -> DeadLetter:
    """Why an event is a dead letter. Raises LookupError if it is not in the queue."""
    row = await conn.fetchrow(sql("control", "last_error"), event_id)
    if row is None:
        raise LookupError(f"event {event_id} is not in the queue")
    return DeadLetter(row["error"] or "", row["code"])


async def _answers(
    conn: Connection, engine_id: UUID, items: Sequence[Item], ended: dict[int, EndedRow], kind: int
) -> list[EndedRow]:
    """One answer per item. An event that a batch names twice is removed by its first mention only."""
    missed = [item for item in _once(items) if item.event_id not in ended]
    answers = dict(ended)
    if missed:
        rows = await conn.fetch(
            sql("finish", "missed"), [i.event_id for i in missed], [i.lease_no for i in missed], engine_id, kind
        )
        answers |= {row["id"]: EndedRow(row["id"], row["state"]) for row in rows}
    seen: set[int] = set()
    result = []
    for item in items:
        answer = answers[item.event_id]
        result.append(EndedRow(item.event_id, answer.state) if item.event_id in seen else answer)
        seen.add(item.event_id)
    return result


def _once(items: Iterable[I]) -> list[I]:
    first: dict[int, I] = {}
    for item in items:
        first.setdefault(item.event_id, item)
    return list(first.values())


def first_of_lanes(rows: Iterable[Woken | None]) -> dict[str, Place]:
    """The first place of each lane: what to ring with."""
    first: dict[str, Place] = {}
    for row in rows:
        if row is not None:
            first[row.lane] = min(row.place, first.get(row.lane, row.place))
    return first


def _handed_back(row: Any) -> EndedRow:
    ready = woken(row) if row["state"] == Live.READY else None
    return EndedRow(row["id"], "done", True, row["lease_no"], row["state"] == Live.DEAD, ready)


def woken(row: Any) -> Woken:
    """A row of a statement that gives id, lane, rank and pass."""
    return Woken(row["id"], row["lane"], Place(row["rank"], row["pass"], row["id"]))


def _leases_ended(rows: Iterable[Any]) -> list[LeaseEnded]:
    return [LeaseEnded(row["event_id"], row["lease_no"]) for row in rows if row["closing"]]
