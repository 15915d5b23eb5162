"""Plans for tests of the domain, and a way to play them without any queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyscrai.domain.choices import Choices
from pyscrai.domain.digest import canonical_entry, chain, first_link
from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import Pinned, Plan, needed_event_types
from pyscrai.domain.play import Advance, advance, begin
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.work import EventType, Result, Work

LANES = {
    "decide": "actor",
    "agent_message": "actor",
    "flow_step": "actor",
    "scene": "narrator",
    "report": "analyst",
    "world_update": "narrator",
    "check": "analyst",
    "measure": "analyst",
}
TALKS: dict[str, Any] = {
    "name": "talks",
    "title": "Talks",
    "world": {"text": "A draft is on the table.", "facts": {"window": 24}},
    "seats": {
        "union": {
            "title": "The union",
            "role": "speaks for the workers",
            "goals": ["higher pay"],
            "private": "we will settle",
        },
        "board": {"title": "The board", "role": "runs the firm", "goals": ["lower cost"], "private": "cash is short"},
    },
    "schedule": {"turns": 2, "turn_length": "1 week"},
    "metrics": {
        "trust": {"type": "number", "range": [0, 1], "by": "model"},
        "hours": {"type": "integer", "by": "pattern", "pattern": r"(\d+) hours"},
    },
    "checks": {"coherent": {"description": "does it follow?"}},
}


def make_plan(document: dict[str, Any] | None = None, **choices: Any) -> Plan:
    scenario = Scenario.model_validate(document or TALKS)
    kinds = needed_event_types(scenario)
    event_types = {
        phase: EventType(name=name, lane=LANES.get(name, "actor"), prompt="…", result_schema={"type": "object"})
        for phase, name in kinds.items()
    }
    pins = [Pinned(type="event-types", name=name, sha256=name) for name in kinds.values()]
    return Plan(scenario=scenario, choices=Choices.model_validate(choices), event_types=event_types, pins=pins)


def answer(work: Work) -> dict[str, Any]:
    """A plain answer to any piece of work, different per seat and turn."""
    if work.phase == "decision":
        return {
            "reasoning": f"r{work.turn} {work.seat}",
            "goals": ["g"],
            "action": f"{work.seat} offers {work.turn}0 hours",
        }
    if work.phase == "dialogue":
        return {"text": f"{work.seat} says {work.turn}", "to": None, "closing": False, "thought": "hm"}
    if work.phase == "message":
        return {"text": f"{work.seat} does {work.payload['step']}", "to": None, "thought": "hm"}
    if work.phase == "report":
        return {"summary": f"so far, {work.turn} turns", "findings": ["one"]}
    if work.phase == "world_update":
        return {"narrative": f"after turn {work.turn}", "facts": {"turn": work.turn}, "changes": ["one"]}
    if work.phase == "validation":
        return {"consistent": True, "issues": [], "severity": "none"}
    return {"values": {"trust": 0.25 * work.turn}}


def play(plan: Plan, reply: Callable[[Work], dict[str, Any] | None] = answer) -> tuple[list[Entry], Advance]:
    """A whole run; results are given in the step's order."""
    move = begin(plan)
    log = list(move.entries)
    step = 0
    while move.work:
        step += 1
        results = [Result(work=work, value=reply(work)) for work in move.work]
        move = advance(plan, move.state, results, seq=log[-1].seq, step=step)
        log += move.entries
    return log, move


def digest(plan: Plan, log: list[Entry]) -> str:
    return chain(first_link(plan), [canonical_entry(entry) for entry in log if entry.track == "story"])
