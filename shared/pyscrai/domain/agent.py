"""The agent template, `pyscrai/agent@1`: somebody to cast in scenarios, with what a run may change about them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from pyscrai.domain.scenario import Name, Part

Rule = Literal["override_allowed", "merge_allowed", "append_allowed", "forbidden"]
"""What a run may do to a field: replace it, add keys to it, add to its end, nothing."""
RULES: tuple[Rule, ...] = ("override_allowed", "merge_allowed", "append_allowed", "forbidden")


class AgentModel(Part):
    """The model that speaks for an agent, as providers call it; None leaves it to the run."""

    provider: str | None = None
    model: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=200_000)

    def name(self) -> str | None:
        """The model as a seat names it: `provider:model`, or the model alone where the provider is not said."""
        if self.model is None:
            return None
        if not self.provider or self.model.startswith((f"{self.provider}:", f"{self.provider}/")):
            return self.model
        return f"{self.provider}:{self.model}"


class AgentTemplate(Part):
    """Somebody to cast: an actor for a seat, a narrator or an analyst."""

    format: Literal["pyscrai/agent@1"] = "pyscrai/agent@1"
    name: Name
    title: str = ""
    description: str = ""
    engine_type: Literal["actor", "narrator", "analyst"] = "actor"
    role: str = ""
    backstory: str = ""
    goals: list[str] = []
    constraints: list[str] = []
    traits: dict[str, JsonValue] = {}
    instructions: list[str] = []
    llm: AgentModel = AgentModel()
    tools: dict[str, JsonValue] = {}
    overrides: dict[str, dict[str, Rule]] = Field(default={}, description="section → field → what a run may do to it")
    extensions: dict[str, JsonValue] = {}
