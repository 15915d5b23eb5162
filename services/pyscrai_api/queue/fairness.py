"""Where new events stand in their lane: what this process remembers from one enqueue to the next (docs/fairness.md).

`pass` = max(lowest ready pass of the lane and rank, the key's last) + stride. The key is the run, whose last pass is on
its row; for events without a run it is their owner, whose last pass is remembered here. Of each lane and rank there is

floor   the highest lowest pass that was ever seen. It only grows, so that newcomers never begin before those who wait;
        and a look-up begins at it, so that it does not walk dead index entries under a held snapshot.
top     the highest pass that was given. Where nothing is ready, new events go behind it: all before it was served.

What is lost here (a restart, another replica, the least recently used) costs fairness for a moment and one longer
look-up. Nothing is ever wrong for want of it. For the same reason it is told before a commit: a transaction that is
undone moves the lane's time on by what it would have enqueued, no more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

FairBy = Literal["run", "owner"]
REMEMBERED = 10_000
"""Lanes with their ranks, and streams, each; the least recently used are forgotten."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Stream(NamedTuple):
    """Events without a run that share what one key gets."""

    owner: str
    lane: str
    rank: int


class Lasts(NamedTuple):
    """The last pass of a stream: of what may start, and of what has a time. Those to come do not hold up the others."""

    now: int
    later: int


@dataclass(slots=True)
class Level:
    """What is known of a lane and rank. `top` None: nothing yet."""

    floor: int = 0
    top: int | None = None


class Seen(NamedTuple):
    """What an enqueue saw of a lane and rank, and gave: the `first` pass of what is ready, and the `last` of all."""

    low: int
    found: bool
    first: int | None
    last: int


class _Recent(Generic[K, V]):
    """The values that were used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def set(self, key: K, value: V) -> V:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)
        return value

    def clear(self) -> None:
        self._values.clear()


class Fairness:
    """One per process. `by`: what shares a lane evenly, runs or their owners; `most`: what is remembered of each."""

    def __init__(self, by: FairBy = "run", most: int = REMEMBERED) -> None:
        self.by_owner = by == "owner"
        self._levels: _Recent[tuple[str, int], Level] = _Recent(most)
        self._lasts: _Recent[Stream, Lasts] = _Recent(most)

    def level(self, lane: str, rank: int) -> Level:
        """Where to look, and what stands for a lane in which nothing is ready."""
        return self._levels.get((lane, rank)) or Level()

    def saw(self, lane: str, rank: int, seen: Seen) -> None:
        """An enqueue has looked, and given passes."""
        level = self._levels.get((lane, rank)) or self._levels.set((lane, rank), Level())
        # In a lane in which nothing was ready, the first of what has come is the lowest.
        level.floor = max(level.floor, seen.low if seen.found else seen.first or 0)
        level.top = max(level.top or 0, seen.low, seen.last)

    def heard(self, lane: str, at: tuple[int, int, int] | None) -> None:
        """Something became ready there, here or in another process; `at`: its rank, pass and id, where known."""
        level = self._levels.get((lane, at[0])) if at is not None else None
        if at is not None and level is not None:
            level.top = max(level.top or 0, at[1])

    def lasts(self, stream: Stream) -> Lasts:
        """The last passes of a stream."""
        return self._lasts.get(stream) or Lasts(0, 0)

    def has_more(self, owner: str, lane: str, rank: int) -> bool:
        """Whether events without a run are likely to wait beside the owner's runs, as one more key."""
        return self.lasts(Stream(owner, lane, rank)).now > self.level(lane, rank).floor

    def take(self, stream: Stream, now: int, later: int) -> Lasts:
        """The last passes to go on from with so many events: those who ask meanwhile go on behind them."""
        last, floor = self.lasts(stream), self.level(stream.lane, stream.rank).floor
        begin = Lasts(max(last.now, floor), max(last.later, floor))
        self._lasts.set(stream, Lasts(begin.now + now, begin.later + later))
        return begin

    def gave(self, stream: Stream, taken: Lasts, given: Lasts | None) -> None:
        """How many of each were `taken`, and the last passes that were given then; None where it failed."""
        last = self.lasts(stream)
        now, later = last.now - taken.now, last.later - taken.later
        if given is not None:
            now, later = max(now, given.now), max(later, given.later)
        self._lasts.set(stream, Lasts(now, later))

    def forget(self) -> None:
        """As after a restart."""
        self._levels.clear()
        self._lasts.clear()

    def places(self, owner: str, pairs: Iterable[tuple[str, int]]) -> list[list[Any]]:
        """Columns for the statement of a step: lane, rank, floor, top, and how many more keys the owner has."""
        rows = [(lane, rank, self.level(lane, rank)) for lane, rank in dict.fromkeys(pairs)]
        return [
            [lane for lane, _, _ in rows],
            [rank for _, rank, _ in rows],
            [level.floor for _, _, level in rows],
            [level.top for _, _, level in rows],
            [int(self.by_owner and self.has_more(owner, lane, rank)) for lane, rank, _ in rows],
        ]
