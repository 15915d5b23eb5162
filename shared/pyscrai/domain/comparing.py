"""Runs side by side: what each of their turns came to, and where they differ. Pure; reads logs turn by turn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from pyscrai.domain import pacts
from pyscrai.domain.entry import Entry
from pyscrai.domain.pacts import Coalition, Offer
from pyscrai.domain.scenario import World

KINDS = (
    *("decision", "message", "world_update", "exogenous", "edit", "metric", "proposal"),
    *("turn_started", "turn_complete"),
)
"""The kinds of entries that a turn is made of, as far as runs are compared."""
_WORD = re.compile(r"\w+")


class TurnOf(BaseModel):
    """What one turn came to. `moves`: what each seat did or said to all; `facts`, `metrics`, `coalitions`: as they
    stood when it was complete; `metrics` by name, or `name seat` for a seat's own."""

    model_config = ConfigDict(frozen=True)

    turn: int
    moves: dict[str, str] = {}
    world: str = ""
    facts: dict[str, JsonValue] = {}
    metrics: dict[str, JsonValue] = {}
    coalitions: dict[str, list[str]] = {}


class Reader:
    """Takes the entries of one log in order and gives each turn as it is completed."""

    def __init__(self, world: World) -> None:
        self._world = world.text
        self._facts: dict[str, JsonValue] = dict(world.facts)
        self._metrics: dict[str, JsonValue] = {}
        self._moves: dict[str, list[str]] = {}
        self._coalitions: dict[str, Coalition] = {}
        self._offers: dict[str, Offer] = {}

    def read(self, entry: Entry) -> TurnOf | None:
        """The turn that this entry completes; None for every other entry."""
        if entry.kind == "turn_complete":
            return self._turn(entry.turn)
        if entry.kind == "turn_started":
            self._moves, self._offers = {}, {}
        elif entry.kind in ("decision", "message"):
            if entry.visible_to == "all":
                told = entry.body.get("action") or entry.body.get("text")
                self._moves.setdefault(str(entry.seat), []).append(str(told))
        elif entry.kind == "metric":
            name = str(entry.body["metric"])
            self._metrics[name if entry.seat is None else f"{name} {entry.seat}"] = entry.body["value"]
        elif entry.kind == "proposal":
            change = pacts.told(self._coalitions, self._offers, entry)
            self._coalitions = change.get("coalitions", self._coalitions)
            self._offers = change.get("offers", self._offers)
        else:
            self._change_world(entry.body)
        return None

    def _change_world(self, body: Mapping[str, Any]) -> None:
        text = body.get("narrative") or body.get("world")
        if isinstance(text, str):
            self._world = text
        new = body.get("facts")
        if isinstance(new, dict):
            facts = {**self._facts, **new}
            self._facts = {name: value for name, value in facts.items() if value is not None}

    def _turn(self, turn: int) -> TurnOf:
        return TurnOf(
            turn=turn,
            moves={seat: "\n\n".join(told) for seat, told in self._moves.items()},
            world=self._world,
            facts=self._facts,
            metrics=dict(self._metrics),
            coalitions={one.name: sorted(one.members) for one in self._coalitions.values()},
        )


def likeness(one: str, other: str) -> float:
    """How much of their words two texts have in common, from 0 (nothing) to 1 (the same words as often)."""
    if one == other:
        return 1.0
    left, right = (Counter(_WORD.findall(text.lower())) for text in (one, other))
    total = left.total() + right.total()
    return round(2 * (left & right).total() / total, 3) if total else 0.0


def differing(values: Sequence[Any]) -> bool:
    return any(value != values[0] for value in values[1:])


def named(turns: Sequence[TurnOf | None], field: str) -> Iterator[tuple[str, list[Any]]]:
    """(name, its value in each run) of everything that `field` of any of these turns names; None where it is not."""
    held: list[Mapping[str, Any]] = [{} if turn is None else getattr(turn, field) for turn in turns]
    for name in dict.fromkeys(name for one in held for name in one):
        yield name, [one.get(name) for one in held]


def differences(rows: Sequence[Sequence[Any]]) -> list[float | None]:
    """Of each row's latest value from that of the first row; None where one of them is no number."""
    latest = [next((value for value in reversed(row) if value is not None), None) for row in rows]
    return [_minus(value, latest[0]) for value in latest]


def _minus(value: Any, first: Any) -> float | None:
    numbers = [one for one in (value, first) if isinstance(one, int | float) and not isinstance(one, bool)]
    return round(numbers[0] - numbers[1], 10) if len(numbers) == 2 else None


def shared_turns(runs: Sequence[Sequence[TurnOf]]) -> int:
    """How many turns, from the first on, came to the same in all runs."""
    count = 0
    for turns in zip(*runs, strict=False):
        if differing(turns):
            break
        count += 1
    return count
