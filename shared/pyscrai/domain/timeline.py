"""What will happen to a world from outside, told before anything is played: certain, drawn by this seed, or possible.

It decides by the very functions that a turn decides by, so what it calls certain or drawn is what a run will see.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from pyscrai.domain.happenings import happens, once
from pyscrai.domain.scenario import Happening, Scenario

Sureness = Literal["certain", "drawn", "possible"]
"""`certain`: in every run; `drawn`: in a run with this seed; `possible`: where its condition on metrics holds."""


class Expected(BaseModel):
    """One happening: the turns in which it happens, or may happen where `when` holds. `chance`: in each turn."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: str
    text: str
    sureness: Sureness
    turns: list[int] = []
    when: str | None = None
    chance: float = 1.0
    once: bool = True
    seats: list[str] = []
    facts: dict[str, JsonValue] = {}
    adds: dict[str, float] = {}


class Timeline(BaseModel):
    """Everything that a scenario declares to happen, in its order, for a seed and a number of turns."""

    model_config = ConfigDict(frozen=True)

    scenario: str
    seed: int
    turns: int
    happenings: list[Expected] = []


def timeline(scenario: Scenario, seed: int, turns: int | None = None) -> Timeline:
    """The timeline of a scenario's happenings; `turns` None: as many as it declares."""
    last = scenario.schedule.turns if turns is None else turns
    plays = scenario.schedule.policy.startswith("turns@")
    found = [_expected(one, seed, last) for one in scenario.happenings] if plays else []
    return Timeline(scenario=scenario.name, seed=seed, turns=last, happenings=found)


def _expected(happening: Happening, seed: int, turns: int) -> Expected:
    # What depends on metrics is asked as if they always allowed it: these are the turns in which it may happen.
    asked = happening.model_copy(update={"when": None})
    at_most_once = once(happening)
    found: list[int] = []
    for turn in range(1, turns + 1):
        before = 0 if happening.when is not None else len(found)
        if happens(asked, seed, turn, before, {}):
            found.append(turn)
    told = happening.model_dump(include={"name", "type", "text", "when", "seats", "facts", "adds"})
    return Expected(**told, sureness=_sureness(happening), turns=found, chance=happening.probability, once=at_most_once)


def _sureness(happening: Happening) -> Sureness:
    if happening.when is not None:
        return "possible"
    return "certain" if happening.probability >= 1 else "drawn"
