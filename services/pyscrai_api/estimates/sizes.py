"""How large requests are: the real prompts of some turns are rendered, and what is between them is interpolated."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from pyscrai.domain.plan import Plan
from pyscrai.domain.state import window
from pyscrai.domain.view import result_schema, view
from pyscrai_api.estimates.answers import BYTES_PER_TOKEN
from pyscrai_api.estimates.playing import Asked, Key, Play

PER_MESSAGE = 4
ALL_SEATS = 4
"""Of more seats only two are rendered in all turns that are looked at, the others in the first alone."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """A request: `bound`, its upper bound in tokens (`llm.bounds`), and what four bytes to a token make of it."""

    bound: float
    counted: float

    def between(self, other: Size, share: float) -> Size:
        return Size(
            bound=self.bound + (other.bound - self.bound) * share,
            counted=self.counted + (other.counted - self.counted) * share,
        )

    def grown(self, before: Size, after: Size) -> Size:
        """As much larger as another has become."""
        return Size(
            bound=self.bound + after.bound - before.bound, counted=self.counted + after.counted - before.counted
        )


def turns_shown(plan: Plan) -> list[int]:
    """The first and second turn, the one in which the window is full, the middle, the last."""
    last = plan.turns
    return sorted({turn for turn in (1, 2, full(plan), (last + 1) // 2, last) if 1 <= turn <= last})


def full(plan: Plan) -> int:
    """The turn from which on a view reaches back over a whole window."""
    return min(plan.turns, window(plan) + 2)


def rendered(plan: Plan, asked: Asked) -> Size:
    """The size of one request. Raises PromptError where its prompt cannot be rendered."""
    from pyscrai.llm.ask import texts
    from pyscrai.llm.bounds import input_bound
    from pyscrai.prompting import render, variables

    assert asked.place is not None
    work, event_type = asked.work, plan.event_type(asked.work)
    seen = view(plan, asked.place.state, asked.place.recent(), work)
    values = variables(seen, dict(work.payload))
    schema: dict[str, Any] | None = result_schema(plan, work) or None
    told = texts(render(event_type.system, values), render(event_type.prompt, values), schema)
    messages = [{"role": role, "content": text} for role, text in told if text]
    size = sum(len(message["content"].encode()) for message in messages)
    bound = input_bound(messages, schema)
    # The schema goes with the request a second time, as the form of the answer; the bound has it twice beside that.
    form = (bound - input_bound(messages, None)) / 2
    return Size(bound=bound, counted=(size + form) / BYTES_PER_TOKEN + PER_MESSAGE * len(messages))


class Sizes:
    """Sizes by kind of question and turn."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._known: dict[Key, list[tuple[int, Size]]] = {}

    def learn(self, questions: Iterable[Asked]) -> None:
        """Render the questions that have a place; where there are many seats, later turns of two of them."""
        few = set(self._plan.seats) if len(self._plan.seats) <= ALL_SEATS else set(self._plan.seats[:2])
        for asked in questions:
            known = self._known.get(asked.key)
            if asked.place is None or (known and known[-1][0] >= asked.work.turn):
                continue
            if known and asked.work.seat is not None and asked.work.seat not in few:
                continue
            self._known.setdefault(asked.key, []).append((asked.work.turn, rendered(self._plan, asked)))

    def missing(self, questions: Iterable[Asked]) -> list[Asked]:
        """The first question of each kind that was never rendered."""
        found: dict[Key, Asked] = {}
        for asked in questions:
            if asked.key not in self._known and asked.place is not None:
                found.setdefault(asked.key, asked)
        return list(found.values())

    def of(self, asked: Asked) -> Size:
        """The size of a question in its turn."""
        turn = asked.work.turn
        known = self._known.get(asked.key)
        if known is None:
            return self._like(asked)
        if len(known) == 1 and asked.work.seat is not None:
            for seat in self._plan.seats[:2]:
                other = self._known.get((asked.key[0], seat, asked.key[2]))
                if other is not None and len(other) > 1:
                    return known[0][1].grown(_at(other, known[0][0]), _at(other, turn))
        return _at(known, turn)

    def more_than(self, asked: Asked, few: Collection[str]) -> float:
        """By how much the first request of some other seat is larger than those of a few, in this phase."""
        first = {key[1]: known[0][1].bound for key, known in self._known.items() if key[0] == asked.key[0]}
        others = [bound for who, bound in first.items() if who not in few]
        own = [bound for who, bound in first.items() if who in few]
        return max(0.0, max(others) - min(own)) if others and own else 0.0

    def _like(self, asked: Asked) -> Size:
        """A kind that came up only in turns that were not looked at: as large as the others of its phase."""
        phase = asked.key[0]
        sizes = [_at(known, asked.work.turn) for key, known in self._known.items() if key[0] == phase]
        sizes = sizes or [_at(known, asked.work.turn) for known in self._known.values()]
        return Size(
            bound=sum(size.bound for size in sizes) / len(sizes),
            counted=sum(size.counted for size in sizes) / len(sizes),
        )


def largest(plan: Plan, longest: Play, usual: Sizes) -> Callable[[Asked], float]:
    """The largest upper bound in each phase, from the last requests of each kind in a play with the longest answers. Of
    many seats two are rendered; what others know more than these in the first turn comes on top."""
    few = set(plan.seats if len(plan.seats) <= ALL_SEATS else plan.seats[:2])
    latest = {asked.key: asked for asked in longest.asked if asked.work.seat is None or asked.work.seat in few}
    found: dict[str, float] = {}
    for asked in latest.values():
        bound = rendered(plan, asked).bound + usual.more_than(asked, few)
        found[asked.key[0]] = max(found.get(asked.key[0], 0.0), bound)
    return lambda asked: found.get(asked.key[0]) or max(found.values())


def _at(known: list[tuple[int, Size]], turn: int) -> Size:
    place = bisect_left([number for number, _ in known], turn)
    if place == 0:
        return known[0][1]
    if place == len(known):
        return known[-1][1]
    (before, low), (after, high) = known[place - 1], known[place]
    return low.between(high, (turn - before) / (after - before))
