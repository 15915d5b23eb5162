"""Branches of runs over HTTP: where one may begin, what is otherwise in it, and the family that it belongs to."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue, model_validator

from pyscrai.contract.inputs import TEXT, NewInput
from pyscrai.contract.runs import POOL, RunStatus
from pyscrai.contract.wire import Money, Wire
from pyscrai.domain.choices import GROUP, Price, SeatChoice


class BranchPoint(Wire):
    """After turn `turn` (0: before the first), or after the entry numbered `seq` of the run that is branched."""

    model_config = ConfigDict(extra="forbid")

    turn: int | None = Field(default=None, ge=0)
    seq: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one(self) -> BranchPoint:
        if (self.turn is None) == (self.seq is None):
            raise ValueError("say either turn or seq")
        return self


class Changes(Wire):
    """What is otherwise in a branch. What is left out is as in the run that is branched.

    `seats` (also `narrator`, `analyst`) are merged field by field, `edits` (seat → field → value) replace what the
    scenario says of a seat. `world`, `facts` and `inputs` enter the log after the part that is shared.
    """

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    seats: dict[str, SeatChoice] = {}
    edits: dict[str, dict[str, JsonValue]] = {}
    world: str | None = Field(default=None, max_length=TEXT)
    facts: dict[str, JsonValue] | None = None
    inputs: list[NewInput] = Field(default=[], max_length=100)
    limit: Money | Literal["none"] | None = None
    prices: dict[str, Price] = {}
    turns: int | None = Field(default=None, ge=1, le=10_000)
    seed: int | None = Field(default=None, ge=0, le=2**53 - 1)
    title: str | None = None
    labels: dict[str, str] | None = None
    group: str | None = Field(default=None, pattern=GROUP)


class NewBranch(Wire):
    """POST /runs/{run}/branch: a new run that shares the story of this one up to `at`, and goes on from there."""

    model_config = ConfigDict(extra="forbid")

    at: BranchPoint
    changes: Changes = Changes()
    pool: str | None = Field(default=None, pattern=POOL)


class BoundaryShown(Wire):
    """A place where a run may be branched: after entry `seq`. `phase` None: after the whole turn (0: before turn 1)."""

    seq: int
    turn: int
    phase: str | None = None


class Relative(Wire):
    """A run in its family. `turn`: after which it left its parent (None: the first one); `seq`: its own number up to
    which the story is shared; `changed`: what was otherwise from there on, a sentence each."""

    id: str
    label: str
    serial: int
    title: str
    parent_id: str | None = None
    turn: int | None = None
    seq: int | None = None
    changed: list[str] = []
    status: RunStatus
    outcome: str | None = None
    turns_played: int
    spent: Money
    log_digest: str


class Family(Wire):
    """GET /runs/{run}/tree: the run that all others come from, and those, each after its parent. `left_out`: how many
    more there are than are shown."""

    run_id: str
    scenario: str
    runs: list[Relative]
    left_out: int = 0
