"""Runs over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, computed_field

from pyscrai.contract.seats import Asked
from pyscrai.contract.wire import Money, Tolerant, Wire
from pyscrai.domain.choices import Choices, Price, SeatChoice
from pyscrai.domain.entry import Entry

RunStatus = Literal["pending", "running", "waiting", "paused", "blocked", "completed", "failed", "cancelled"]
POOL = r"^[a-z0-9][a-z0-9-]{0,62}$"
TERMINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled"})


class NewRun(Wire):
    """POST /runs. `scenario` is an id or a name; `version` pins one, else the latest."""

    scenario: str
    version: int | None = Field(default=None, ge=1)
    choices: Choices = Choices()
    pool: str | None = Field(default=None, pattern=POOL)


class NewReplay(Wire):
    """POST /runs/{id}/replay: play a run again with the answers that its models gave, without asking them.

    What is left out is as it was in the recorded run: the version of its `scenario`, of its event types (`latest`: as
    they are now), its choices. Of `choices` only what is given replaces the recorded ones.
    """

    scenario: str | None = None
    version: int | None = Field(default=None, ge=1)
    latest: bool = False
    choices: Choices | None = None
    title: str | None = None
    pool: str | None = Field(default=None, pattern=POOL)


class RunRef(Wire):
    """Another run, as one speaks of it: `run-003` of that scenario."""

    id: str
    label: str
    scenario: str


class BranchRef(RunRef):
    """The run that a branch comes from: the branch shares its story up to its own entry `seq`, which is of turn
    `turn`."""

    turn: int
    seq: int


class ScenarioRef(Wire):
    id: str
    name: str
    version: int
    title: str
    sha256: str


class Trouble(Wire):
    """Why a run stands still or failed, in words for a person.

    Out of money: `scope` (run, group, day, week, installation) and `name` say which limit it is, `free` what that
    leaves, and `needed` the limit with which the run goes on.
    """

    code: str
    message: str
    event_id: int | None = None
    seat: str | None = None
    needed: Money | None = None
    scope: str | None = None
    name: str | None = None
    free: Money | None = None


class PutOff(Wire):
    """Events of a run that wait for their time: how many, how many seconds the first of them still waits, and why."""

    events: int
    seconds: float
    reason: str


class Run(Wire):
    """A run as the API shows it. `label` is `run-003`: its number among the runs of its scenario and owner."""

    id: str
    number: int
    label: str
    serial: int
    title: str
    scenario: ScenarioRef
    status: RunStatus
    reason: Trouble | None = None
    outcome: str | None = None
    turn: int
    turns: int
    phase: str | None
    step: int
    open: int
    last_seq: int
    seats: list[str]
    seed: int
    limit: Money | None = None
    spent: Money
    reserved: Money
    model_calls: int
    log_digest: str
    choices: Annotated[Choices, Tolerant]
    pool: str | None = None
    owner: str
    visibility: str
    labels: dict[str, str] = {}
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    waiting_for: PutOff | None = None
    """Only of one run that is asked for by itself, and only where it runs."""
    asks: list[Asked] = []
    """Whom it waits for, and what it asks; only of one run that is asked for by itself."""
    replay_of: RunRef | None = None
    branch_of: BranchRef | None = None
    scenario_set_id: str | None = None
    scenario_label: str = "Single Scenario"
    scenario_kind: str | None = None
    scenario_brief_fragment: str | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def run_id(self) -> str:
        """The id once more, as seeds 002 and 004 call it."""
        return self.id


class Resume(Wire):
    """POST /runs/{id}/resume: a new limit, other models, and with `move` the pool that its open events move to.

    `model` stands for every seat without a choice of its own; `seats` (also `narrator`, `analyst`) may change
    `model`, `temperature` and `max_tokens` of one. `prices` join those that the run has declared.
    """

    limit: Money | Literal["none"] | None = None
    model: str | None = None
    seats: dict[str, SeatChoice] | None = None
    prices: dict[str, Price] | None = None
    pool: str | None = Field(default=None, pattern=POOL)
    move: bool = False


class ChangeRun(Wire):
    """PATCH /runs/{id}."""

    limit: Money | Literal["none"] | None = None
    title: str | None = None
    labels: dict[str, str] | None = None


class Delivered(Entry):
    """A log entry as the stream and the log route deliver it: with the money as it stood, never in its body."""

    cost: Money | None = None
    remaining: Money | None = None


class Snapshot(Wire):
    """The hydrated whole of a run: scenario, runtime choices, state folded from the log up to `seq`."""

    run: Run
    scenario: dict[str, JsonValue]
    choices: Annotated[Choices, Tolerant]
    state: dict[str, Any]
    seq: int
    seat: str | None = None
    view: dict[str, Any] | None = None
