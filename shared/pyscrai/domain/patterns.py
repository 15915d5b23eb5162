"""Patterns inside a run, read from its log without a model: where it turned, who answered whom, who stood where.

These are counts and comparisons, so that the same log always gives the same patterns; a report's words are beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from pyscrai.domain.entry import Entry

MOST_POINTS = 12
LARGEST_MOVES = 5


class Point(BaseModel):
    """A turn in which things took another direction: a metric's large move, a coalition, a happening, an alert.

    `size`: of a metric, its move as a share of its range (or of all it ever moved); else 1.
    """

    model_config = ConfigDict(frozen=True)

    turn: int
    kind: str
    what: str
    size: float
    seat: str | None = None


class Link(BaseModel):
    """What went from one seat to another: letters and how many of them were answered, offers and what became of them,
    and how often the other's next decision took up words of it."""

    model_config = ConfigDict(frozen=True)

    source: str
    target: str
    letters: int = 0
    answered: int = 0
    offers: int = 0
    accepted: int = 0
    taken_up: int = 0

    @property
    def weight(self) -> int:
        """How strong the link is: answers and acceptances count more than attempts."""
        return self.letters + self.offers + 2 * (self.answered + self.accepted) + 3 * self.taken_up

    def told(self) -> str:
        """The link in words."""
        parts = [
            (self.letters, f"{_times(self.letters, 'letter')}, {self.answered} answered"),
            (self.offers, f"{_times(self.offers, 'offer')} to join, {self.accepted} accepted"),
            (self.taken_up, f"words taken up in {_times(self.taken_up, 'decision')}"),
        ]
        return "; ".join(text for number, text in parts if number)


def _times(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class Position(BaseModel):
    """A metric that is kept by seat, over the turns: seat → (turn, value)."""

    model_config = ConfigDict(frozen=True)

    metric: str
    seats: dict[str, list[tuple[int, JsonValue]]]


class Patterns(BaseModel):
    """All patterns of a log, up to the number `seq`."""

    model_config = ConfigDict(frozen=True)

    seq: int
    turning_points: list[Point] = []
    links: list[Link] = []
    positions: list[Position] = []


def patterns(entries: Sequence[Entry], ranges: Mapping[str, tuple[float, float] | None] | None = None) -> Patterns:
    """The patterns of a log. `ranges`: of the metrics that have one."""
    points = sorted(_points(entries, ranges or {}), key=lambda point: (-point.size, point.turn))[:MOST_POINTS]
    links = sorted(_links(entries), key=lambda link: (-link.weight, link.source, link.target))
    return Patterns(
        seq=max((entry.seq for entry in entries), default=0),
        turning_points=sorted(points, key=lambda point: (point.turn, -point.size, point.what)),
        links=[link for link in links if link.weight],
        positions=_positions(entries),
    )


# ── where it turned ──────────────────────────────────────────────────────────────────────────────────────────────


def _points(entries: Sequence[Entry], ranges: Mapping[str, tuple[float, float] | None]) -> Iterator[Point]:
    yield from _moves(entries, ranges)
    for entry in entries:
        body = entry.body
        if entry.kind == "proposal" and body.get("act") in ("formed", "dissolved"):
            word = "is formed" if body["act"] == "formed" else "is over"
            what = f"the coalition “{body.get('name') or body.get('coalition')}” {word}"
            yield Point(turn=entry.turn, kind="coalition", what=what, size=1.0)
        elif entry.kind == "exogenous" and body.get("happening"):
            yield Point(turn=entry.turn, kind="happening", what=str(body["happening"]), size=1.0)
        elif entry.kind == "alert":
            what = f"{body.get('metric')} crosses {body.get('threshold')} ({body.get('level')})"
            yield Point(turn=entry.turn, kind="alert", what=what, size=0.5, seat=entry.seat)


def _moves(entries: Sequence[Entry], ranges: Mapping[str, tuple[float, float] | None]) -> Iterator[Point]:
    """The largest moves of metrics between one measurement and the next."""
    found: list[Point] = []
    for (metric, seat), values in _series(entries).items():
        numbers = [(turn, float(value)) for turn, value in values if _is_number(value)]
        span = _span(ranges.get(metric), [value for _, value in numbers])
        for (_, before), (turn, value) in pairwise(numbers):
            if span and value != before:
                what = f"{metric} moves from {before:g} to {value:g}"
                size = round(abs(value - before) / span, 4)
                found.append(Point(turn=turn, kind="metric", what=what, size=min(size, 1.0), seat=seat))
    yield from sorted(found, key=lambda point: (-point.size, point.turn, point.what))[:LARGEST_MOVES]


def _span(declared: tuple[float, float] | None, values: list[float]) -> float:
    if declared is not None:
        return declared[1] - declared[0]
    return max(values) - min(values) if values else 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _series(entries: Iterable[Entry]) -> dict[tuple[str, str | None], list[tuple[int, Any]]]:
    found: dict[tuple[str, str | None], list[tuple[int, Any]]] = {}
    for entry in entries:
        if entry.kind == "metric":
            key = (str(entry.body.get("metric")), entry.seat)
            found.setdefault(key, []).append((entry.turn, entry.body.get("value")))
    return found


# ── who moved whom ───────────────────────────────────────────────────────────────────────────────────────────────


def _links(entries: Sequence[Entry]) -> Iterator[Link]:
    counted: dict[tuple[str, str], dict[str, int]] = {}

    def count(source: str, target: str, what: str) -> None:
        told = counted.setdefault((source, target), {})
        told[what] = told.get(what, 0) + 1

    open_letters: dict[tuple[str, str], list[Entry]] = {}
    offers: dict[str, str] = {}
    for entry in entries:
        if entry.kind == "turn_started":
            open_letters = {}
        elif entry.kind == "message" and entry.body.get("channel") == "bilateral" and entry.seat:
            seat, to = entry.seat, str(entry.body.get("to"))
            count(seat, to, "letters")
            # A letter answers those that its writer has received in an earlier round, so of an earlier step.
            for letter in open_letters.pop((to, seat), []):
                if letter.step < entry.step:
                    count(to, seat, "answered")
            open_letters.setdefault((seat, to), []).append(entry)
        elif entry.kind == "proposal" and entry.seat:
            _offer(entry, offers, count)
    for source, target in _taken_up(entries):
        count(source, target, "taken_up")
    yield from (Link(source=source, target=target, **told) for (source, target), told in counted.items())


def _offer(entry: Entry, offers: dict[str, str], count: Callable[[str, str, str], None]) -> None:
    body, seat = entry.body, str(entry.seat)
    name = str(body.get("coalition"))
    if body.get("act") == "propose":
        offers[name] = seat
        asked = body.get("with")
        for target in asked if isinstance(asked, list) else []:
            count(seat, str(target), "offers")
    elif body.get("act") == "accept" and name in offers:
        count(offers[name], seat, "accepted")


SHINGLE = 4
"""Words in a row that a decision has in common with what somebody else said before it."""


def _taken_up(entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """(who said it, who took it up in a decision of this turn or the next), once for each decision."""
    said: list[tuple[Entry, set[str]]] = []
    for entry in entries:
        if entry.kind == "decision" and entry.seat:
            mine = _shingles(str(entry.body.get("action") or ""))
            own = set().union(*(words for other, words in said if other.seat == entry.seat))
            heard = {
                str(other.seat)
                for other, words in said
                if other.seat != entry.seat
                and other.visible(entry.seat)
                and other.step < entry.step
                and other.turn >= entry.turn - 1
                and (mine - own) & words
            }
            yield from ((source, entry.seat) for source in sorted(heard))
        text = entry.body.get("action") if entry.kind == "decision" else entry.body.get("text")
        if entry.kind in ("decision", "message") and entry.seat and isinstance(text, str):
            said.append((entry, _shingles(text)))


def _shingles(text: str) -> set[str]:
    words = "".join(letter.lower() if letter.isalnum() else " " for letter in text).split()
    return {" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)}


# ── who stood where ──────────────────────────────────────────────────────────────────────────────────────────────


def _positions(entries: Iterable[Entry]) -> list[Position]:
    kept: dict[str, dict[str, list[tuple[int, Any]]]] = {}
    for (metric, seat), values in _series(entries).items():
        if seat is not None:
            kept.setdefault(metric, {})[seat] = values
    return [Position(metric=metric, seats=seats) for metric, seats in kept.items()]
