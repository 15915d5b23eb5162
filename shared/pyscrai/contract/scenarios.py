"""Scenarios as their own clients see them, conversations, and playing a scenario by its name (FORMATS §A).

Views of templates and runs, not a second system: a scenario is a template, a conversation is a run.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue

from pyscrai.contract.problems import FieldError
from pyscrai.contract.runs import Delivered, RunStatus, Trouble
from pyscrai.contract.templates import Template
from pyscrai.contract.wire import Money, Wire

ConversationStatus = Literal["active", "completed"]


class PostedScenario(Wire):
    """POST, PUT and PATCH /scenarios: `{name, config, history?}`. PUT and PATCH take any part of it.

    `config` is a scenario in any dialect that is read here. The bare document, and `{name?, content, visibility?}` as
    for templates, are accepted too.
    """

    name: str | None = Field(default=None, description="what people call it; any words")
    config: dict[str, Any] | None = None
    history: list[Any] | None = Field(default=None, description="whatever its author keeps beside it")
    visibility: Literal["private", "shared"] | None = None


class ScenarioTemplate(Template):
    """A template with what clients of scenarios keep beside it.

    `name` is what its author calls it, `template` its name in the catalog. `config` is the version as it was posted, in
    its own dialect; `content` is the same as PyScrAI reads it. `created` and `modified` are milliseconds since 1970.
    """

    template: str = ""
    config: dict[str, Any] | None = None
    history: list[Any] = []
    created: int
    modified: int


class AgentConfig(Wire):
    """Runtime choices for one seat: model, temperature, max_tokens, instructions, and whatever else (kept)."""

    id: str
    config: dict[str, JsonValue] = {}


class NewConversation(Wire):
    """POST /conversations. `scenarioId`: an id, a name, or the id that the scenario's document came with."""

    scenario_id: str | None = Field(default=None, alias="scenarioId")
    title: str | None = None
    description: str | None = None
    agents: list[AgentConfig] = []
    custom: dict[str, JsonValue] = {}


class RuntimeMeta(Wire):
    """What was decided for this conversation, apart from its scenario."""

    title: str
    description: str | None = None
    agents: list[AgentConfig] = []
    custom: dict[str, JsonValue] = {}


class Conversation(Wire):
    """A run as a conversation. `conversation` is the run's integer, `run_id` its id; times are ISO 8601, UTC."""

    conversation: int
    run_id: str
    scenario_id: str = Field(serialization_alias="scenarioId", validation_alias="scenarioId")
    scenario_version: int = Field(serialization_alias="scenarioVersion", validation_alias="scenarioVersion")
    title: str
    description: str | None = None
    status: ConversationStatus
    run_status: RunStatus
    outcome: str | None = None
    metadata: RuntimeMeta
    created_at: str = Field(serialization_alias="createdAt", validation_alias="createdAt")
    updated_at: str = Field(serialization_alias="updatedAt", validation_alias="updatedAt")
    warnings: list[FieldError] = []


class HydratedConversation(Wire):
    """GET /conversations/{id}: the pinned scenario as it was posted, the runtime choices, and what happened so far.

    `next` goes into `?after=` where there are more events than one answer holds.
    """

    conversation: int
    run_id: str
    status: ConversationStatus
    run_status: RunStatus
    outcome: str | None = None
    reason: Trouble | None = None
    scenario: dict[str, Any]
    runtime_meta: RuntimeMeta = Field(serialization_alias="runtimeMeta", validation_alias="runtimeMeta")
    events: list[Delivered]
    next: str | None = None


def _dollars(value: Any) -> Any:
    # The seeds' clients write amounts as JSON numbers; the digits that they wrote are what they mean.
    return repr(value) if isinstance(value, float) else value


class Execute(Wire):
    """POST /scenarios/{id}/execute. `models`: one for everybody, or by seat (also `narrator`, `analyst`)."""

    end_turn: int | None = Field(default=None, ge=1, le=10_000)
    credit_limit: Annotated[Money | Literal["none"] | None, BeforeValidator(_dollars)] = None
    models: str | dict[str, str] | None = None
    seed: int = Field(default=0, ge=0, le=2**53 - 1)
    pool: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")


class Execution(Wire):
    """202 of an execute: follow it at `/scenarios/{id}/stream` or `/runs/{run_id}/stream`."""

    run_id: str
    status: RunStatus


class ExecutionStatus(Execution):
    """GET /scenarios/{id}/status: the latest run of the scenario by this user."""

    scenario: str
    run: str = Field(description="its label, as in run-003")
    turn: int
    turns: int
    phase: str | None = None
    outcome: str | None = None
    reason: Trouble | None = None
    total_cost: Money
    credit_limit: Money | None = None
    last_seq: int
    created_at: str
    ended_at: str | None = None
