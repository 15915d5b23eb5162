"""What a person is asked, made from what a model would be asked: titles and descriptions that are fit to be read, and
nothing that only a model has to say.

What a seat keeps to itself (why, what for) a model has to write down, for its own memory. A person may leave it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyscrai.domain.plan import Plan
from pyscrai.domain.scenario import readable

UNSAID: Mapping[str, Any] = {"reasoning": "", "goals": [], "thought": ""}
"""What nobody else reads → what it is where a person leaves it out."""
_TITLES = {
    "action": "What you do",
    "text": "What you say",
    "to": "To",
    "closing": "Nothing to add",
    "thought": "What you think",
    "reasoning": "Why",
    "goals": "What you are after",
    "letters": "Letters",
    "statement": "Public statement",
    "proposal": "A coalition that you propose",
    "leave": "Coalitions that you leave",
    "answers": "Your answers",
    "accept": "Do you join",
    "reason": "Your reason",
    "with": "Who is asked",
    "purpose": "What it is for",
    "tool_call": "Ask one of your tools",
}
_DESCRIPTIONS = {
    "action": "What you do and say in this turn, in one to four sentences. Everybody will read it.",
    "text": "Word for word. Who hears it is said above.",
    "to": "The seat that you address; empty for everybody.",
    "closing": "Yes where you would be content to end here.",
    "thought": "For yourself; nobody else will read it. May be left empty.",
    "reasoning": "For yourself; nobody else will read it. May be left empty.",
    "goals": "For yourself, the most important first. May be left empty.",
    "letters": "Each letter is read by its receiver only. None is fine.",
    "statement": "What you say to everybody; empty for nothing.",
    "proposal": "Only those who are asked will know of it. Empty for none.",
    "leave": "Empty for none.",
    "answers": "One for each coalition that you are asked to join.",
}


def form(plan: Plan, schema: Mapping[str, Any], *, title: str = "") -> dict[str, Any]:
    """The JSON Schema of what a person may submit; `schema` is that of the event's result."""
    made = _readable(plan, dict(schema), top=True)
    required = [name for name in made.get("required", []) if name not in UNSAID]
    return made | {"required": required} | ({"title": title} if title else {})


def complete(schema: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """A person's words as a result of the event: what may be left out and was is empty."""
    required = schema.get("required") or []
    missing = {name: empty for name, empty in UNSAID.items() if name in required and value.get(name) is None}
    return {**value, **missing}


def _readable(plan: Plan, schema: dict[str, Any], *, top: bool) -> dict[str, Any]:
    found = dict(schema)
    properties = found.get("properties")
    if isinstance(properties, Mapping):
        found["properties"] = {
            name: _field(plan, name, one, top=top) if isinstance(one, Mapping) else one
            for name, one in properties.items()
        }
    if isinstance(found.get("items"), Mapping):
        found["items"] = _readable(plan, dict(found["items"]), top=False)
    if isinstance(found.get("anyOf"), list):
        found["anyOf"] = [_readable(plan, dict(one), top=False) for one in found["anyOf"] if isinstance(one, Mapping)]
    if isinstance(found.get("enum"), list):
        named = {seat: plan.scenario.seat_title(seat) for seat in plan.seats}
        found["x-titles"] = [named.get(str(one), str(one)) for one in found["enum"]]
    return found


def _field(plan: Plan, name: str, schema: Mapping[str, Any], *, top: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"title": _TITLES.get(name, readable(name))}
    if top and name in _DESCRIPTIONS:
        told["description"] = _DESCRIPTIONS[name]
    made = {**told, **_readable(plan, dict(schema), top=False)}
    if top and name in UNSAID:
        made.pop("minLength", None)
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
    return made
