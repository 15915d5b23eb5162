"""The plan of a run: everything that is fixed when it starts, and who answers for whom, which may be changed later.

A plan itself is immutable, so every replica may keep it for as long as the run's `plan_version` is the same.
"""

from __future__ import annotations

from functools import cached_property

from pydantic import BaseModel, ConfigDict

from pyscrai.domain import flow
from pyscrai.domain.choices import Choices, SeatChoice
from pyscrai.domain.errors import PolicyError
from pyscrai.domain.scenario import Scenario, Seat, Tool, Voice
from pyscrai.domain.work import EventType, Work

DEFAULT_MODEL = "rehearsal"
DEFAULT_MAX_TOKENS = 1024
EVENT_TYPE_OF_PHASE = {
    "decision": "decide",
    "world_update": "world_update",
    "validation": "check",
    "metrics": "measure",
    "dialogue": "agent_message",
    "tool": "oracle",
    "communication": "letters",
    "coalition": "coalition",
    "report": "turn_report",
}
PHASES_OF_POLICY = {
    "turns@1": ("communication", "coalition", "decision", "world_update", "validation", "metrics", "report"),
    "dialogue@1": ("dialogue", "validation", "metrics", "report"),
    "flow@1": ("message", "world_update", "report", "validation", "metrics"),
}


class Pinned(BaseModel):
    """One template version that a run holds to, wherever it is installed."""

    model_config = ConfigDict(frozen=True)

    type: str
    name: str
    sha256: str


class Seating(BaseModel):
    """Who answers for a seat, the narrator or the analyst: the runtime choice over the scenario over the default."""

    model_config = ConfigDict(frozen=True)

    model: str
    temperature: float | None
    max_tokens: int


class Plan(BaseModel):
    """Scenario version, prompt versions and runtime choices of one run. `event_types` is keyed by phase."""

    model_config = ConfigDict(frozen=True)

    scenario: Scenario
    choices: Choices
    event_types: dict[str, EventType]
    pins: list[Pinned]
    default_model: str = DEFAULT_MODEL

    @property
    def seed(self) -> int:
        return self.choices.seed

    @property
    def turns(self) -> int:
        schedule = self.scenario.schedule
        if schedule.policy.startswith("dialogue@") and self.choices.turns is None and schedule.limits.messages:
            return schedule.limits.messages
        return self.choices.turns or schedule.turns

    @cached_property
    def seats(self) -> list[str]:
        return list(self.scenario.seats)

    def choice(self, who: str) -> SeatChoice:
        return self.choices.seats.get(who) or SeatChoice()

    def human(self, seat: str) -> bool:
        """Whether a person sat there when the run began."""
        chosen = self.choice(seat).human
        return self.scenario.seats[seat].human if chosen is None else chosen

    def by_person(self, seat: str) -> bool:
        """Whether a person sits there now."""
        taken = self.choice(seat).taken
        return self.human(seat) if taken is None else taken

    def approved(self, seat: str) -> bool:
        """Whether a person looks at each move of the seat's model before it counts."""
        return bool(self.choice(seat).approve) and not self.by_person(seat)

    def told(self, who: str) -> str:
        """The instructions for a seat, `narrator` or `analyst` in this run."""
        chosen = self.choice(who).instructions
        return self._declared(who).instructions if chosen is None else chosen

    def tool(self, seat: str, name: str) -> Tool:
        """A seat's tool. Raises PolicyError where it has none of that name."""
        found = next((tool for tool in self.scenario.seats[seat].tools if tool.name == name), None)
        if found is None:
            raise PolicyError(f"the seat {seat} has no tool {name}")
        return found

    def event_type(self, work: Work) -> EventType:
        """What is asked for this work: a flow's step may name an event type of its own."""
        own = self.event_types.get(flow.own_key(str(work.payload["step"]))) if "step" in work.payload else None
        return own or self.event_types[work.phase]

    def seating(self, who: str) -> Seating:
        """Which model answers for a seat, `narrator` or `analyst`, and how."""
        choice, declared = self.choice(who), self._declared(who)
        temperature = declared.temperature if choice.temperature is None else choice.temperature
        return Seating(
            model=choice.model or self.choices.model or declared.model or self.default_model,
            temperature=temperature,
            max_tokens=choice.max_tokens or declared.max_tokens or DEFAULT_MAX_TOKENS,
        )

    def _declared(self, who: str) -> Seat | Voice:
        if who in self.scenario.seats:
            return self.scenario.seats[who]
        return self.scenario.narrator if who == "narrator" else self.scenario.analyst


def wants_letters(scenario: Scenario) -> bool:
    """Whether seats write or speak to each other before they decide."""
    wanted = scenario.communication
    return len(scenario.seats) > 1 and (wanted.bilateral or wanted.statements)


def wants_coalitions(scenario: Scenario) -> bool:
    return len(scenario.seats) > 1 and scenario.communication.coalitions


def needed_event_types(scenario: Scenario) -> dict[str, str]:
    """Phase → `event-type[@version]`: what a run of this scenario has to pin."""
    if scenario.schedule.policy == "flow@1":
        kinds = {phase: EVENT_TYPE_OF_PHASE[phase] for phase in ("validation", "metrics")}
        return flow.needed(scenario) | {phase: scenario.events.get(phase, kind) for phase, kind in kinds.items()}
    wanted = {
        "communication": wants_letters(scenario),
        "coalition": wants_coalitions(scenario),
        "report": bool(scenario.reports.every or scenario.reports.at_end),
    }
    phases = [phase for phase in PHASES_OF_POLICY.get(scenario.schedule.policy, ()) if wanted.get(phase, True)]
    if scenario.schedule.policy == "dialogue@1" and any(seat.tools for seat in scenario.seats.values()):
        phases.append("tool")
    return {phase: scenario.events.get(phase, EVENT_TYPE_OF_PHASE[phase]) for phase in phases}
