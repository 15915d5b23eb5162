"""What a seat sees of letters and coalitions, and what it may answer: the part of a view beside `view`.

Everything here follows from the payload of the work and from lines that the seat may read.
"""

from __future__ import annotations

from typing import Any

from pyscrai.domain import pacts, talk
from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import Plan
from pyscrai.domain.state import State
from pyscrai.domain.work import Work

LONGEST = 1500
"""Characters of a letter or statement."""


def shown(plan: Plan, state: State, seen: list[Entry], work: Work) -> dict[str, Any]:
    """`coalitions` of the seat; in its phases also `talk` and `letters`, or `offers`. `seen`: what it may read."""
    seat, title = str(work.seat), plan.scenario.seat_title
    standing = pacts.of(state.coalitions, seat)
    found: dict[str, Any] = {
        "coalitions": [
            {
                "coalition": name,
                "name": one.name,
                "purpose": one.purpose,
                "members": [title(member) for member in one.members if member != seat],
                "since": one.since,
            }
            for name, one in standing.items()
        ]
    }
    if work.phase == talk.PHASE:
        found |= {"talk": _talk(plan, state, work), "letters": _letters(plan, state, seen, work)}
    elif work.phase == pacts.PHASE:
        offers: Any = work.payload.get("offers") or {}
        found["offers"] = [
            {
                "coalition": name,
                "by": title(offer["by"]),
                "name": offer["name"],
                "purpose": offer["purpose"],
                "others": [title(other) for other in offer["asked"] if other != seat],
            }
            for name, offer in offers.items()
        ]
    return found


def _talk(plan: Plan, state: State, work: Work) -> dict[str, Any]:
    to: Any = work.payload["to"]
    channels = [
        {"to": one, "title": state.coalitions[one].name, "coalition": True}
        if one in state.coalitions
        else {"to": one, "title": plan.scenario.seat_title(one), "coalition": False}
        for one in to
    ]
    return {
        "round": work.payload["round"],
        "rounds": plan.scenario.communication.rounds,
        "to": channels,
        "letters": work.payload["letters"],
        "statement": work.payload["statement"],
    }


def _letters(plan: Plan, state: State, seen: list[Entry], work: Work) -> list[dict[str, Any]]:
    """The letters of the round before that this seat may answer now, oldest first."""
    seat = work.seat
    to: Any = work.payload["to"]
    if work.payload["round"] == 1:
        return []
    rounds = 0
    latest: dict[tuple[str, str], Entry] = {}
    for entry in seen:
        if entry.turn != state.turn:
            continue
        if entry.kind == "phase_complete" and entry.phase == talk.PHASE:
            rounds += 1
        if entry.kind == "message" and rounds == state.round - 1 and entry.seat != seat:
            inside = entry.body.get("channel") == "coalition"
            source = entry.body.get("to") if inside else entry.seat
            if source in to and (inside or entry.body.get("to") == seat):
                latest[str(source), str(entry.seat)] = entry
    return [
        {
            "from": writer,
            "title": plan.scenario.seat_title(writer),
            "answer_to": source,
            "coalition": state.coalitions[source].name if source in state.coalitions else "",
            "text": entry.body["text"],
        }
        for (source, writer), entry in latest.items()
    ]


def letters_schema(schema: dict[str, Any], work: Work) -> dict[str, Any]:
    """The result of a round of letters: to whom, and how many, as the payload says."""
    to: Any = work.payload["to"]
    one = {
        "type": "object",
        "properties": {
            "to": {"type": "string", "enum": list(to)},
            "text": {"type": "string", "minLength": 1, "maxLength": LONGEST},
            "closing": {"type": "boolean"},
        },
        "required": ["to", "text", "closing"],
        "additionalProperties": False,
    }
    letters = {"type": "array", "maxItems": work.payload["letters"], "items": one} if to else {"const": []}
    properties = {**schema.get("properties", {}), "letters": letters}
    required = ["thought", "letters"]
    if work.payload["statement"]:
        properties["statement"] = {"type": ["string", "null"], "maxLength": LONGEST}
        required.append("statement")
    else:
        properties.pop("statement", None)
    return schema | {"properties": properties, "required": required}


def coalition_schema(schema: dict[str, Any], work: Work) -> dict[str, Any]:
    """The result of the two rounds of coalitions: a proposal and what is left; then an answer to each offer."""
    thought = schema.get("properties", {}).get("thought", {"type": "string"})
    if work.payload["round"] == 2:
        properties = {"thought": thought, "answers": _answers(work)}
        return schema | {"properties": properties, "required": ["thought", "answers"]}
    others: Any = work.payload["with"]
    members: Any = work.payload["members"]
    offer = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 80},
            "purpose": {"type": "string", "minLength": 1, "maxLength": 400},
            "with": {"type": "array", "minItems": 1, "maxItems": len(others), "items": {"enum": list(others)}},
        },
        "required": ["name", "purpose", "with"],
        "additionalProperties": False,
    }
    leave: dict[str, Any] = {"type": "array", "maxItems": len(members), "items": {"type": "string"}}
    if members:
        leave["items"] = {"type": "string", "enum": list(members)}
    properties = {"thought": thought, "proposal": {"anyOf": [{"type": "null"}, offer]}, "leave": leave}
    return schema | {"properties": properties, "required": ["thought", "proposal", "leave"]}


def _answers(work: Work) -> dict[str, Any]:
    offers: Any = work.payload["offers"]
    one = {
        "type": "object",
        "properties": {
            "coalition": {"type": "string", "enum": list(offers)},
            "accept": {"type": "boolean"},
            "reason": {"type": "string", "maxLength": 400},
        },
        "required": ["coalition", "accept", "reason"],
        "additionalProperties": False,
    }
    return {"type": "array", "minItems": len(offers), "maxItems": len(offers), "items": one}
