"""Events without a run into the queue, in one statement, and the answer that is built from what it returned."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, NamedTuple

from pyscrai.contract.events import Event
from pyscrai_api.database import Connection
from pyscrai_api.errors import Unavailable
from pyscrai_api.lines import Lines
from pyscrai_api.queue.fairness import Fairness, Lasts, Seen, Stream
from pyscrai_api.queue.preparing import Kind, Prepared
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.states import Live
from pyscrai_api.queue.store import Place, Woken

_ID, _DATA = 2**52 - 1, '{"@":1}'
"""Stand for the id and the payload while the rest of an answer is written."""


_BETWEEN = "\x1e"
"""Between payloads: canonical JSON has no control character."""


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
            for kind, places in _in_order(kinds, items):
                rows = await _insert(conn, kind, items, places, numbers, begin[kind.stream], fairness)
                for place, event_id, state in zip(rows.places, rows.ids, rows.states, strict=True):
                    made[place] = Made(event_id, state, rows.created_at, True)
                given[kind.stream] = _furthest(given.get(kind.stream), items, rows)
                ready += _first(kind.stream, rows)
    finally:
        for stream, lasts in taken.items():
            fairness.gave(stream, lasts, given.get(stream))
    known = await _known(conn, [item for item, one in zip(items, made, strict=True) if one is None])
    return [one or known[item.kind.stream.owner, item.dedupe_key] for item, one in zip(items, made, strict=True)], ready


def _in_order(kinds: dict[Kind, list[int]], items: Sequence[Prepared]) -> list[tuple[Kind, list[int]]]:
    """The kinds as they are written one after the other. With dedupe keys always in one order, as the keys are within
    each: else two requests that make the same events wait for each other until PostgreSQL ends one of them."""
    found = list(kinds.items())
    if len(found) > 1 and any(item.dedupe_key is not None for item in items):
        found.sort(key=lambda each: (each[0].stream, each[0].event_type, each[0].model or "", each[0].max_failures))
    return found


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


class _Rows(NamedTuple):
    """What one statement made: columns, and the place of each among the items."""

    places: Sequence[int]
    ids: Sequence[int]
    states: Sequence[int]
    passes: Sequence[int]
    created_at: datetime


def _furthest(before: Lasts | None, items: Sequence[Prepared], rows: _Rows) -> Lasts:
    """The last passes that a stream was given."""
    now, later = (0, 0) if before is None else before
    for place, pass_ in zip(rows.places, rows.passes, strict=True):
        if items[place].run_at is None:
            now = max(now, pass_)
        else:
            later = max(later, pass_)
    return Lasts(now, later)


def _first(stream: Stream, rows: _Rows) -> list[Woken]:
    """Where the first of what may start is; the bell needs no more of them."""
    columns = zip(rows.passes, rows.ids, rows.states, strict=True)
    first = min(((pass_, event_id) for pass_, event_id, state in columns if state == Live.READY), default=None)
    return [] if first is None else [Woken(first[1], stream.lane, Place(stream.rank, *first))]


async def _insert(
    conn: Connection | Lines,
    kind: Kind,
    items: Sequence[Prepared],
    places: Sequence[int],
    numbers: Sequence[int],
    begin: Lasts,
    fairness: Fairness,
) -> _Rows:
    stream = kind.stream
    level = fairness.level(stream.lane, stream.rank)
    common = (*stream, kind.event_type, kind.model, kind.max_failures, level.floor, level.top, *begin)
    own = [items[place] for place in places]
    nth = [numbers[place] for place in places]
    keys = [item.dedupe_key for item in own]
    times = [item.run_at for item in own]
    keyed = any(key is not None for key in keys)
    each = (nth, [item.payload for item in own], times, keys) if keyed else _short(nth, own, times)
    (row,) = await conn.fetch(sql("enqueue", "once" if keyed else "loose"), *common, fairness.by_owner, *each)
    ids, states, passes = row["ids"] or [], row["states"] or [], row["passes"] or []
    if ids:
        ready = [pass_ for pass_, state in zip(passes, states, strict=True) if state == Live.READY]
        seen = Seen(row["low"], row["found"], min(ready, default=None), max(passes))
        fairness.saw(stream.lane, stream.rank, seen)
    if keyed:
        place_of = {(numbers[place], items[place].run_at is not None): place for place in places}
        places = [place_of[which] for which in zip(row["numbers"] or [], row["timed"] or [], strict=True)]
    # Ids are drawn in the order of the items.
    return _Rows(places, ids, states, passes, row["created_at"])


def _short(numbers: list[int], items: Sequence[Prepared], times: list[datetime | None]) -> tuple[Any, ...]:
    """The items of a statement without dedupe keys, as `loose` takes them."""
    plain = numbers == list(range(1, len(numbers) + 1))
    text = _BETWEEN.join([item.payload for item in items])
    return (None if plain else numbers, text, times if any(times) else None)


async def _known(conn: Connection | Lines, items: Sequence[Prepared]) -> dict[tuple[str, str | None], Made]:
    """The events that have the dedupe keys of these. Raises Unavailable where one has just been forgotten."""
    found: dict[tuple[str, str | None], Made] = {}
    for owner in dict.fromkeys(item.kind.stream.owner for item in items):
        keys = [item.dedupe_key for item in items if item.kind.stream.owner == owner]
        for row in await conn.fetch(sql("enqueue", "deduped"), owner, keys):
            found[owner, row["dedupe_key"]] = Made(row["id"], 0, None, False)
        if any((owner, key) not in found for key in keys):
            raise Unavailable("an event with this dedupe_key has just been forgotten; try again")
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
