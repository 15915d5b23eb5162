"""What a step of an author's flow is to the rest of the domain: its phase, who hears it, what its answer holds.

Answers of event types that an author has added may have any fields: what reads best is the line of the story, the
rest goes with it as `fields`.
"""

from __future__ import annotations

from typing import Any

from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.scenario import FlowStep, Scenario, readable

ALL_SEATS, ANY_SEAT, SYSTEM = "all_seats", "any_seat", "system"
START, TURN_COMPLETE, EVERY_N_TURNS, END = "start", "turn_complete", "every_n_turns", "end"
TRIGGERS = (START, TURN_COMPLETE, EVERY_N_TURNS, END)
PHASE_OF = {"narrator": "world_update", "analyst": "report", SYSTEM: "system"}
EVENT_TYPE_OF_STEP = {"message": "flow_step", "world_update": "scene", "report": "report"}
OWN_FIELDS = {
    "message": ("text", "to", "thought"),
    "world_update": ("narrative", "facts", "changes"),
    "report": ("summary", "findings"),
    "system": (),
}
"""What the built-in event types ask for; a step's own fields come beside them."""
_SPOKEN = ("text", "message", "action", "statement", "content", "narrative", "summary", "answer")
_UNSAID = ("to", "closing", "thought", "reasoning", "goals", "facts", "changes", "findings")


def phase_of(step: FlowStep) -> str:
    """message (a seat acts), world_update (the narrator), report (the analyst) or system (nobody is asked)."""
    return PHASE_OF.get(step.by, "message")


def needed(scenario: Scenario) -> dict[str, str]:
    """Phase, or `flow.STEP` for a step with an event type of its own → `event-type[@version]`."""
    found: dict[str, str] = {}
    for name, step in scenario.flow.items():
        phase = phase_of(step)
        if phase == "system":
            continue
        if step.event is not None:
            found[own_key(name)] = step.event
        else:
            found[phase] = scenario.events.get(phase, EVENT_TYPE_OF_STEP[phase])
    return found


def own_key(step: str) -> str:
    """Where a plan keeps the event type that a step names itself; no phase has a dot in it."""
    return f"flow.{step}"


def parties(scenario: Scenario, step: FlowStep, seat: str) -> list[str] | None:
    """Who hears what a seat says in this step; None is everybody. Decided by the author, never by a model."""
    return list(dict.fromkeys([seat, step.to])) if step.to in scenario.seats else None


def told(value: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """An answer as a line of the story, and its further fields. What is thought or addressed is in neither."""
    spoken = next((name for name in _SPOKEN if isinstance(value.get(name), str) and value[name].strip()), None)
    fields = {name: one for name, one in value.items() if name not in _UNSAID and name != spoken}
    if spoken is not None:
        return value[spoken], fields
    return "\n".join(f"{readable(name)}: {_plain(one)}" for name, one in fields.items()), fields


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else canonical(normalise(value))


def thought(value: dict[str, Any]) -> dict[str, Any] | None:
    """What a seat keeps to itself, as the body of a `thought`."""
    if value.get("thought"):
        return {"thought": value["thought"]}
    if value.get("reasoning"):
        return {"reasoning": value["reasoning"], "goals": value.get("goals") or []}
    return None


def shown(scenario: Scenario, name: str) -> dict[str, Any]:
    """A step as the prompt of its event sees it."""
    step = scenario.flow[name]
    fields = [{"name": field, **_about(schema)} for field, schema in step.result.items()]
    to = scenario.seat_title(step.to) if step.to in scenario.seats else ""
    return {"name": readable(name), "prompt": step.prompt, "to": to, "fields": fields}


def _about(schema: Any) -> dict[str, Any]:
    known = schema if isinstance(schema, dict) else {}
    kind = known.get("type") or ("one of" if "enum" in known else "any")
    options = known.get("enum") or []
    return {
        "description": str(known.get("description") or ""),
        "type": kind if isinstance(kind, str) else " or ".join(str(one) for one in kind),
        "options": [str(option) for option in options],
    }


def specialised(schema: dict[str, Any], step: FlowStep) -> dict[str, Any]:
    """The schema of a step's answer: its event type's, and the step's own fields, all of them required."""
    if not step.result:
        return schema
    required = [*schema.get("required", []), *step.result]
    return schema | {
        "type": "object",
        "properties": {**schema.get("properties", {}), **step.result},
        "required": list(dict.fromkeys(required)),
    }
