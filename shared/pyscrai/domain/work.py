"""What a policy hands to the queue and what comes back from it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Lane = str
BUILT_IN_LANES = ("actor", "narrator", "analyst", "author")


class EventType(BaseModel):
    """The content of an event-type template: what is asked, how the answer must look, and on which lane.

    `system` and `prompt` are Liquid templates; the variables that they may use are in docs/prompts.md.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["pyscrai/event-type@1"] = "pyscrai/event-type@1"
    name: str
    title: str = ""
    description: str = ""
    lane: str
    renderer: Literal["liquid@1"] = "liquid@1"
    system: str = ""
    prompt: str
    payload_schema: dict[str, JsonValue] = {}
    result_schema: dict[str, JsonValue] = {}
    category: str = ""
    is_core: bool = False
    extensions: dict[str, JsonValue] = {}


class Work(BaseModel):
    """One event that a policy wants done. `n` is its place in the step: results are folded in that order."""

    model_config = ConfigDict(frozen=True)

    event_type: str
    turn: int
    phase: str
    seat: str | None = None
    payload: dict[str, JsonValue] = {}
    priority: int = Field(default=5, ge=0, le=9)


class Result(BaseModel):
    """An event of the step with what came back; `value` is None where it was discarded."""

    model_config = ConfigDict(frozen=True)

    work: Work
    value: dict[str, Any] | None


class End(BaseModel):
    """The run is over: which ending, and why."""

    model_config = ConfigDict(frozen=True)

    outcome: str
    reason: str
