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
    challenges: list[str] = []


class Principal(Part):
    """Whom a seat acts for."""

    type: Literal["individual", "organization"] = "organization"
    name: str
    description: str = ""


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
    tools: list[dict[str, JsonValue]] = []
    may_know: list[str] = []


class EndWhen(Part):
    """End the run after the turn in which `when` holds, e.g. `trust >= 0.7`; `outcome` names that ending."""

    when: str
    outcome: str | None = None


def _end_when(value: Any) -> Any:
    return {"when": value} if isinstance(value, str) else value


class Limits(Part):
    """Bounds beside the number of turns. `model_calls` counts finished events that asked a model."""

    messages: int | None = Field(default=None, ge=1)
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
    """A consistency check that the analyst makes after a turn."""

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
    happenings: list[dict[str, JsonValue]] = []
    flow: dict[str, JsonValue] = {}
    events: dict[str, str] = Field(default={}, description="phase → event-type[@version]: overrides of prompts")
    extensions: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _in_seat_order(self) -> Self:
        order = self.seat_order or list(self.seats)
        if sorted(order) != sorted(self.seats):
            raise ValueError("seat_order has to name every seat once")
        # Frozen for everyone else; this is still construction.
        self.__dict__["seat_order"] = order
        self.__dict__["seats"] = {seat: self.seats[seat] for seat in order}
        return self

    def content(self) -> dict[str, Any]:
        """The document as the catalog keeps it: defaults left out, seat order kept."""
        kept = self.model_dump(mode="json", exclude_defaults=True)
        return kept | {"format": self.format, "name": self.name, "seat_order": list(self.seats)}

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
