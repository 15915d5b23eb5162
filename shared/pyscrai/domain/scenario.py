"""The native scenario document, `pyscrai/scenario@1`: what every reader produces and every run plays.

The model is the contract; its JSON Schema is published by `contract.schemas`. Rules that cross fields
(dangling names, empty schedules) are in `problems()`, so that all of them are reported at once.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

NAME = r"^[a-z0-9][a-z0-9._-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=120)]
FORMAT = "pyscrai/scenario@1"
TURN_PHASES = ("decision", "world_update", "validation", "metrics")


class Part(BaseModel):
    """A part of the document: frozen, and closed, so that a typo is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class World(Part):
    """The situation everyone knows at the start."""

    text: str = ""
    facts: dict[str, JsonValue] = {}
    variables: dict[str, Variable] = {}
    challenges: list[str] = []


class Principal(Part):
    """Whom a seat acts for."""

    type: Literal["individual", "organization"] = "organization"
    name: str
    description: str = ""


class Tool(Part):
    """Something that a seat can ask of its own systems in a dialogue. An oracle, who sees everything, answers it.

    `ends`: the run is over once it is answered, and this is its outcome.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=64)
    description: str = ""
    input_schema: dict[str, JsonValue] = {}
    guidance: str = ""
    ends: Literal["success", "failure", "neutral"] | None = None


class FlowStep(Part):
    """One step of an author's flow: who acts when something has happened, and what is asked of them.

    `by`: a seat, `narrator`, `analyst`, `system` (says `prompt` itself, no model), `all_seats` (all at once) or
    `any_seat` (the one that has waited longest). `on`: start, turn_complete, every_n_turns (with `n`), end, or the name
    of another step, which has then been completed. Played once, unless `repeat` says how often at most.
    """

    by: str
    on: str = "start"
    to: str = "all"
    n: int | None = Field(default=None, ge=1)
    when: str | None = Field(default=None, description="a condition on metrics, as in end_when")
    repeat: int = Field(default=1, ge=1, le=10_000)
    event: str | None = Field(default=None, description="event-type[@version]; by default the one of its phase")
    prompt: str = ""
    result: dict[str, JsonValue] = Field(default={}, description="further fields of the answer: name → JSON Schema")
    required: bool = True


class Seat(Part):
    """A part in the scenario. All but `title` and `role` is known to this seat alone."""

    title: str = ""
    role: str = ""
    principal: Principal | None = None
    situation: str = ""
    goals: list[str] = []
    constraints: list[str] = []
    style: str = ""
    expertise: str | dict[str, str] = ""
    private: str = ""
    knowledge: dict[str, JsonValue] = {}
    instructions: str = ""
    opening: str = ""
    model: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=200_000)
    human: bool = False
    tools: list[Tool] = []
    may_know: list[str] = []


class Communication(Part):
    """What seats say to each other before they decide. `rounds`: of letters in a turn, the first and the answers to
    it; `letters`: how many a seat may begin in a turn. Coalitions are proposed and answered after that, and last."""

    bilateral: bool = False
    statements: bool = Field(default=False, description="a public statement by each seat that wants to make one")
    coalitions: bool = False
    rounds: int = Field(default=2, ge=1, le=20)
    letters: int = Field(default=2, ge=1, le=20)


class Variable(Part):
    """What a fact may be, so that a narrator's new value can be held against it."""

    description: str = ""
    type: Literal["number", "integer", "boolean", "text", "category"] = "text"
    unit: str = ""
    range: tuple[float, float] | None = None
    categories: list[str] = []
    fixed: bool = Field(default=False, description="it never changes: a new value contradicts the old one")


class Happening(Part):
    """Something that happens to the world from outside, decided before the turn by seed, schedule or metrics.

    scheduled: in `turns`. random: with `probability` in each turn. conditional: when `when` holds. trend: in every
    `every`-th turn. All within `first` … `last`, once unless `once` is false; `text` becomes an `exogenous` line that
    all seats (or those of `seats`) see, `facts` are set, `adds` are added to numbers.
    """

    name: str = Field(min_length=1, max_length=120)
    type: Literal["scheduled", "random", "conditional", "trend"] = "scheduled"
    text: str
    turns: list[Annotated[int, Field(ge=1)]] = []
    first: int = Field(default=1, ge=1)
    last: int | None = Field(default=None, ge=1)
    every: int = Field(default=1, ge=1)
    probability: float = Field(default=1.0, ge=0, le=1)
    when: str | None = Field(default=None, description="a condition on metrics, as in end_when")
    once: bool | None = Field(default=None, description="by default: all but trends")
    seats: list[str] = Field(default=[], description="who learns of it; nobody named: all")
    facts: dict[str, JsonValue] = {}
    adds: dict[str, float] = {}


class Reports(Part):
    """When the analyst reports: every so many turns, and after the last one."""

    every: int | None = Field(default=None, ge=1)
    at_end: bool = False


class Context(Part):
    """How much a view holds: turns as they were said, and tokens (`domain.tokens`) of all that is remembered."""

    window: int = Field(default=4, ge=1, le=50, description="turns")
    tokens: int = Field(default=6000, ge=500, le=500_000)


class EndWhen(Part):
    """End the run after the turn in which `when` holds, e.g. `trust >= 0.7`; `outcome` names that ending."""

    when: str
    outcome: str | None = None


def _end_when(value: Any) -> Any:
    return {"when": value} if isinstance(value, str) else value


class Limits(Part):
    """Bounds beside the number of turns. `model_calls` counts finished events that asked a model."""

    messages: int | None = Field(default=None, ge=1)
    tool_calls: int = Field(default=4, ge=0, le=50, description="in a row, before a seat has to speak")
    model_calls: int | None = Field(default=None, ge=1)


class Schedule(Part):
    """Who acts when. In `turns@1` a turn is a round of phases; in `dialogue@1` a turn is one message."""

    policy: str = Field(default="turns@1", pattern=r"^[a-z_]+@\d+$")
    turns: int = Field(default=5, ge=1, le=10_000)
    turn_length: str = ""
    phases: list[str] = list(TURN_PHASES)
    end_when: list[Annotated[EndWhen, BeforeValidator(_end_when)]] = []
    first: str | None = None
    limits: Limits = Limits()


class Voice(Part):
    """Who writes the world (narrator) or reads it (analyst): a model and what it is told beside its prompt."""

    model: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=200_000)
    instructions: str = ""
    every: int = Field(default=1, ge=1, description="analyst: measure and check every this many turns")


class Metric(Part):
    """A value followed over the turns. `by: model` asks the analyst; `pattern` and `keyword` read the turn's text."""

    description: str = ""
    type: Literal["number", "integer", "boolean", "text", "category"] = "number"
    unit: str = ""
    range: tuple[float, float] | None = None
    categories: list[str] = []
    per_seat: bool = False
    seat: str | None = None
    by: Literal["model", "keyword", "pattern", "manual"] = "model"
    pattern: str | None = None
    keywords: list[str] = []
    prompt: str = ""
    thresholds: dict[str, JsonValue] = {}


class Check(Part):
    """A consistency check that the analyst makes after a turn. What it finds is logged; from `severity` on, `on_issue`
    is done about it: the log says so (warn), the narrator is asked once more (reask), the run stands still (halt)."""

    description: str = ""
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    on_issue: Literal["log", "warn", "reask", "halt"] = "log"
    prompt: str = ""


class Scenario(Part):
    """One whole situation: world, seats in order, schedule, metrics, checks."""

    format: Literal["pyscrai/scenario@1"] = "pyscrai/scenario@1"
    name: Name
    title: str = ""
    description: str = ""
    language: str = "en"
    tags: list[str] = []
    world: World = World()
    seats: dict[Name, Seat] = Field(min_length=1)
    seat_order: list[Name] = Field(
        default=[], description="canonical JSON sorts keys; without it, the order of `seats`"
    )
    schedule: Schedule = Schedule()
    narrator: Voice = Voice()
    analyst: Voice = Voice()
    metrics: dict[Name, Metric] = {}
    checks: dict[Name, Check] = {}
    happenings: list[Happening] = []
    communication: Communication = Communication()
    reports: Reports = Reports()
    context: Context = Context()
    flow: dict[Name, FlowStep] = {}
    flow_order: list[Name] = Field(default=[], description="canonical JSON sorts keys; without it, the order of `flow`")
    events: dict[str, str] = Field(default={}, description="phase → event-type[@version]: overrides of prompts")
    extensions: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _in_seat_order(self) -> Self:
        for held, listed, one in (("seats", "seat_order", "seat"), ("flow", "flow_order", "step")):
            named: dict[str, Any] = getattr(self, held)
            order = getattr(self, listed) or list(named)
            if sorted(order) != sorted(named):
                raise ValueError(f"{listed} has to name every {one} once")
            # Frozen for everyone else; this is still construction.
            self.__dict__[listed] = order
            self.__dict__[held] = {name: named[name] for name in order}
        return self

    def content(self) -> dict[str, Any]:
        """The document as the catalog keeps it: defaults left out, seat order kept."""
        kept = self.model_dump(mode="json", exclude_defaults=True)
        order = {"seat_order": list(self.seats)} | ({"flow_order": list(self.flow)} if self.flow else {})
        return kept | {"format": self.format, "name": self.name} | order

    def seat_title(self, seat: str) -> str:
        """What people read for a seat: its title, else its name made readable."""
        return self.seats[seat].title or readable(seat)


def readable(name: str) -> str:
    """`tech-company` → `Tech company`."""
    words = re.sub(r"[._-]+", " ", name).strip()
    return words[:1].upper() + words[1:]


def slug(text: str) -> str:
    """Any title as a name (`[a-z0-9][a-z0-9._-]*`); `scenario` where nothing is left."""
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._")[:120] or "scenario"
