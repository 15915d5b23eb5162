"""Several runs side by side, and two of them line by line."""

from __future__ import annotations

from typing import Any

from pydantic import Field, JsonValue

from pyscrai.contract.runs import BranchRef, Delivered, RunStatus
from pyscrai.contract.wire import Money, Wire


class ComparedRun(Wire):
    """One of the runs that are compared, in the order in which they were named."""

    id: str
    label: str
    scenario: str
    version: int
    title: str
    status: RunStatus
    outcome: str | None = None
    turns: int = Field(description="complete ones")
    seed: int
    model: str | None = None
    spent: Money
    model_calls: int
    log_digest: str
    branch_of: BranchRef | None = None


class ComparedMetric(Wire):
    """A metric over the turns. `values`: of each run, one for each of the turns (null: none). `difference`: of each
    run's latest number from the first run's; null where one of them has none."""

    name: str
    seat: str | None = None
    unit: str = ""
    values: list[list[JsonValue]]
    difference: list[float | None]


class ComparedMove(Wire):
    """What one seat did in a turn, in each run: the beginning of it, its length in characters, and how much of its
    words it has in common with the first run's (0 to 1). Null: nothing was done."""

    turn: int
    seat: str
    texts: list[str | None]
    lengths: list[int | None]
    likeness: list[float | None]


class ComparedValue(Wire):
    """A fact that is not the same in all runs at the end of a turn: its value in each (null: it has none)."""

    turn: int
    name: str
    values: list[JsonValue]


class ComparedCoalitions(Wire):
    """Coalitions at the end of a turn where they are not the same in all runs: name → members, for each run."""

    turn: int
    standing: list[dict[str, list[str]] | None]


class Comparison(Wire):
    """GET /runs/{run}/compare. `turns` are the numbers of the turns that are compared here; `shared_turns`: how many,
    from the first of these on, came to the same in all runs; `first_move`: seat → the first turn in which its moves
    differ. `next`: the turn to go on after; null: that was all."""

    runs: list[ComparedRun]
    turns: list[int]
    shared_turns: int
    metrics: list[ComparedMetric]
    moves: list[ComparedMove]
    first_move: dict[str, int]
    facts: list[ComparedValue]
    coalitions: list[ComparedCoalitions]
    next: int | None = None


class DifferingTurn(Wire):
    """What differs in a turn: [in the first run, in the second], null where a run has nothing. Seats by name."""

    turn: int
    moves: dict[str, list[str | None]] = {}
    world: list[str | None] | None = None
    facts: dict[str, list[JsonValue]] = {}
    metrics: dict[str, list[JsonValue]] = {}
    coalitions: list[dict[str, Any] | None] | None = None


class Difference(Wire):
    """GET /runs/{run}/diff. `same`: both tell one story; `shared`: entries of it that they have in common from the
    beginning; `first`: the first ones that differ, null where a log ends."""

    runs: list[ComparedRun]
    same: bool
    shared: int
    first: list[Delivered | None]
    turns: list[DifferingTurn]
    next: int | None = None
