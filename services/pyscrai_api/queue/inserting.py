"""Events without a run into the queue, in one statement, and the answer that is built from what it returned."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from pyscrai.contract.events import Event
from pyscrai_api.database import Connection
from pyscrai_api.lines import Lines
from pyscrai_api.queue.fairness import Fairness, Lasts, Stream
from pyscrai_api.queue.preparing import Kind, Prepared
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.states import Live
from pyscrai_api.queue.store import Place, Woken, seen_of

_ID, _DATA = 2**52 - 1, '{"@":1}'
"""Stand for the id and the payload while the rest of an answer is written."""


class Made(NamedTuple):
    """What became of one item. `fresh` False: its dedupe_key was taken, by event `id`."""

    id: int
    state: int
    created_at: datetime | None
    fresh: bool


async def insert(
    conn: Connection | Lines, items: Sequence[Prepared], fairness: Fairness
) -> tuple[list[Made], list[Woken]]:
    """Enqueue items, in order, and the first of what is ready now in each lane.

    What is of one kind takes one statement, which commits by itself outside a transaction; several kinds take one, and
    so no line.
    """
    kinds: dict[Kind, list[int]] = {}
    for place, item in enumerate(items):
        kinds.setdefault(item.kind, []).append(place)
    numbers, counts = _numbered(items)
    taken = {stream: Lasts(*count) for stream, count in counts.items()}
    begin = {stream: fairness.take(stream, *lasts) for stream, lasts in taken.items()}
    given: dict[Stream, Lasts] = {}
    made: list[Made | None] = [None] * len(items)
    ready: list[Woken] = []
    try:
        async with AsyncExitStack() as stack:
            if len(kinds) > 1 and not isinstance(conn, Lines) and not conn.is_in_transaction():
                await stack.enter_async_context(conn.transaction())
            for kind, places in kinds.items():
                rows = await _insert(conn, kind, items, places, numbers, begin[kind.stream], fairness)
                for place, row in rows:
                    made[place] = Made(row["id"], row["state"], row["created_at"], True)
                if rows:
                    given[kind.stream] = _furthest(given.get(kind.stream), items, rows)
                    ready += _first(kind.stream, rows)
    finally:
        for stream, lasts in taken.items():
            fairness.gave(stream, lasts, given.get(stream))
    known = await _known(conn, [item for item, one in zip(items, made, strict=True) if one is None])
    return [
        one or Made(known[item.kind.stream.owner, item.dedupe_key], 0, None, False)
        for item, one in zip(items, made, strict=True)
    ], ready


def _numbered(items: Sequence[Prepared]) -> tuple[list[int], dict[Stream, list[int]]]:
    """The number of each item among those of its stream that may start, or that have a time; and how many there are."""
    numbers: list[int] = []
    counts: dict[Stream, list[int]] = {}
    for item in items:
        count = counts.setdefault(item.kind.stream, [0, 0])
        later = item.run_at is not None
        count[later] += 1
        numbers.append(count[later])
    return numbers, counts


def _furthest(before: Lasts | None, items: Sequence[Prepared], rows: Sequence[tuple[int, Any]]) -> Lasts:
    """The last passes that a stream was given."""
    now = max((row["pass"] for place, row in rows if items[place].run_at is None), default=0)
    later = max((row["pass"] for place, row in rows if items[place].run_at is not None), default=0)
    return Lasts(now, later) if before is None else Lasts(max(before.now, now), max(before.later, later))


def _first(stream: Stream, rows: Sequence[tuple[int, Any]]) -> list[Woken]:
    """Where the first of what may start is; the bell needs no more of them."""
    places = [(row["pass"], row["id"]) for _, row in rows if row["state"] == Live.READY]
    if not places:
        return []
    pass_, event_id = min(places)
    return [Woken(event_id, stream.lane, Place(stream.rank, pass_, event_id))]


async def _insert(
    conn: Connection | Lines,
    kind: Kind,
    items: Sequence[Prepared],
    places: Sequence[int],
    numbers: Sequence[int],
    begin: Lasts,
    fairness: Fairness,
) -> list[tuple[int, Any]]:
    """The rows that were made, each with the place of its item."""
    stream = kind.stream
    level = fairness.level(stream.lane, stream.rank)
    keyed = any(items[place].dedupe_key is not None for place in places)
    rows = await conn.fetch(
        sql("enqueue", "once" if keyed else "loose"),
        *(*stream, kind.event_type, kind.model, kind.max_failures, level.floor, level.top, *begin, fairness.by_owner),
        *([numbers[place] for place in places], [items[place].payload for place in places]),
        [items[place].run_at for place in places],
        *([[items[place].dedupe_key for place in places]] if keyed else []),
    )
    if rows:
        fairness.saw(stream.lane, stream.rank, seen_of(rows))
    if keyed:
        place_of = {(numbers[place], items[place].run_at is not None): place for place in places}
        return [(place_of[row["number"], row["timed"]], row) for row in rows]
    # Ids are drawn in the order of the items.
    return list(zip(places, sorted(rows, key=itemgetter("id")), strict=True))


async def _known(conn: Connection | Lines, items: Sequence[Prepared]) -> dict[tuple[str, str | None], int]:
    """The events that have the dedupe keys of these."""
    found: dict[tuple[str, str | None], int] = {}
    for owner in dict.fromkeys(item.kind.stream.owner for item in items):
        keys = [item.dedupe_key for item in items if item.kind.stream.owner == owner]
        for row in await conn.fetch(sql("enqueue", "deduped"), owner, keys):
            found[owner, row["dedupe_key"]] = row["id"]
    return found


class Answers:
    """Events as the API shows them, as JSON, without a look at the database: what is common is written once."""

    def __init__(self) -> None:
        self._frames: dict[tuple[Kind, int, datetime | None, datetime | None], tuple[str, str]] = {}

    def json(self, item: Prepared, made: Made) -> str:
        """A new event."""
        waits = item.run_at if made.state == Live.SCHEDULED else None
        key = (item.kind, made.state, made.created_at, waits)
        frame = self._frames.get(key)
        if frame is None:
            frame = self._frames[key] = _frame(*key)
        return f'{{"id":{made.id}{frame[0]}{item.payload}{frame[1]}'


def _frame(kind: Kind, state: int, created_at: datetime | None, waits: datetime | None) -> tuple[str, str]:
    assert created_at is not None
    text = Event(
        id=_ID,
        event_type=kind.event_type,
        lane=kind.stream.lane,
        status="queued",
        state=Live(state).name.lower(),
        priority=9 - kind.stream.rank,
        data={"@": 1},
        created_at=created_at.isoformat(),
        scheduled_for=None if waits is None else waits.isoformat(),
    ).model_dump_json()
    before, after = text.split(_DATA, 1)
    return before.removeprefix(f'{{"id":{_ID}'), after
