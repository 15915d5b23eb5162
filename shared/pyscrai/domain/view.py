"""What one seat, the narrator or the analyst may know: a pure function of plan, state and the visible log.

This is what prompts are rendered over (docs/prompts.md). Nothing private to a seat is in the view of another seat
or of the narrator, whose words everyone reads; the analyst sees all, and nobody at the table sees what it says.
"""

from __future__ import annotations

from typing import Any

from pyscrai.domain import flow, pacts, talk, view_talk
from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import Plan
from pyscrai.domain.scenario import Metric, Scenario, Seat, Tool
from pyscrai.domain.state import State
from pyscrai.domain.tokens import estimate
from pyscrai.domain.view_history import history
from pyscrai.domain.work import Work

LINE_TOKENS = 12
"""What stands around each remembered line: its turn, who said it, to whom."""
_REMEMBERED = (("history", ("text",)), ("summary", ("text",)), ("memory", ("reasoning", "goals")))


def view(plan: Plan, state: State, recent: list[Entry], work: Work) -> dict[str, Any]:
    """The view for one event. `recent`: story entries from the window's first mark to `at_seq`, oldest first."""
    common = _common(plan, state, work) | _step(plan, work)
    if work.seat is not None:
        told = _for_seat(plan, state, recent, work.seat) | _tools(plan, state, recent, work, work.seat)
        seen = [entry for entry in recent if entry.visible(work.seat)]
        return fitted(plan, common | told | view_talk.shown(plan, state, seen, work))
    if work.phase == "tool":
        return fitted(plan, common | _for_oracle(plan, recent, work))
    if work.phase == "world_update":
        return fitted(plan, common | _for_narrator(plan, state, recent, work))
    return fitted(plan, common | _for_analyst(plan, state, recent, work))


def fitted(plan: Plan, found: dict[str, Any]) -> dict[str, Any]:
    """What is remembered, cut to the scenario's budget of tokens: the history's oldest lines go first, then those of
    the summary, then thoughts. The budget is the same in turn 60 as in turn 6, and so is what a turn costs."""
    left = plan.scenario.context.tokens
    for name, fields in _REMEMBERED:
        kept: list[dict[str, Any]] = []
        for line in reversed(found.get(name) or []):
            left -= sum(estimate(str(line[field])) for field in fields) + LINE_TOKENS
            if left < 0:
                break
            kept.insert(0, line)
        if name in found:
            found[name] = kept
        left = max(left, 0)
    return found


def _common(plan: Plan, state: State, work: Work) -> dict[str, Any]:
    scenario = plan.scenario
    about = {"title": scenario.title or scenario.name, "description": scenario.description}
    about |= {"language": scenario.language, "challenges": list(scenario.world.challenges)}  # type: ignore[dict-item]
    return {
        "scenario": about,
        "turn": state.turn,
        "turns": plan.turns,
        "turn_length": scenario.schedule.turn_length,
        "phase": work.phase,
        "last_turn": state.turn >= plan.turns,
        "world": {"text": state.world, "facts": dict(state.facts)},
        "you": None,
        "instructions": "",
        "memory": [],
        "summary": _summary(plan, state),
    }


def _summary(plan: Plan, state: State) -> list[dict[str, Any]]:
    """The turns before those of the window: what the narrator said that each had changed, so everybody knows it."""
    reach = state.turn - plan.scenario.context.window
    return [{"turn": past.turn, "text": " ".join(past.changes)} for past in state.past if past.turn <= reach]


def _step(plan: Plan, work: Work) -> dict[str, Any]:
    """What the author asks for in a step of a flow."""
    return {"step": flow.shown(plan.scenario, str(work.payload["step"]))} if "step" in work.payload else {}


def _for_seat(plan: Plan, state: State, recent: list[Entry], seat: str) -> dict[str, Any]:
    seen = [entry for entry in recent if entry.visible(seat)]
    memory = state.seats[seat].memory if seat in state.seats else []
    return {
        "you": _you(plan, seat),
        "others": [_at_table(plan.scenario, other) for other in plan.seats if other != seat],
        "history": history(plan.scenario, seen),
        "memory": [thought.model_dump() for thought in memory],
    }


def _tools(plan: Plan, state: State, recent: list[Entry], work: Work, seat: str) -> dict[str, Any]:
    """What a seat may ask its own systems, and what they answered in this turn."""
    own = [entry for entry in recent if entry.seat == seat and entry.turn == state.turn]
    answers = [entry.body for entry in own if entry.kind == "tool_result"]
    asked = [entry.body for entry in own if entry.kind == "tool_call"]
    offered = plan.scenario.seats[seat].tools if work.payload.get("tools_left") else []
    return {
        "tools": [tool.model_dump(include={"name", "description", "input_schema", "ends"}) for tool in offered],
        "tool_results": [
            {"tool": answer["tool"], "input": call.get("input"), "content": answer["content"]}
            for call, answer in zip(asked, answers, strict=False)
        ],
    }


def _for_oracle(plan: Plan, recent: list[Entry], work: Work) -> dict[str, Any]:
    """The oracle sees every knowledge base: it has to be consistent with all of them."""
    seat = str(work.payload["seat"])
    tool = plan.tool(seat, str(work.payload["tool"]))
    told = tool.model_dump(include={"name", "description", "guidance", "ends"})
    return {
        "instructions": plan.told("analyst"),
        "others": [_at_table(plan.scenario, other) for other in plan.seats],
        "history": history(plan.scenario, recent),
        "caller": _you(plan, seat),
        "tool": told | {"input": work.payload.get("input") or {}},
        "knowledge": [
            {
                "seat": other,
                "title": plan.scenario.seat_title(other),
                "situation": plan.scenario.seats[other].situation,
                "private": plan.scenario.seats[other].private,
                "text": _knowledge(plan.scenario.seats[other]),
            }
            for other in plan.seats
        ],
    }


def _for_narrator(plan: Plan, state: State, recent: list[Entry], work: Work) -> dict[str, Any]:
    public = [entry for entry in recent if entry.visible_to == "all"]
    return {
        "instructions": plan.told("narrator"),
        "others": [_at_table(plan.scenario, seat) for seat in plan.seats],
        "history": history(plan.scenario, public),
        "moves": _since_update(plan, public) if "step" in work.payload else _moves(plan, state),
        "problems": list(state.problems),
        "variables": [{"name": name, **one.model_dump()} for name, one in plan.scenario.world.variables.items()],
    }


def _for_analyst(plan: Plan, state: State, recent: list[Entry], work: Work) -> dict[str, Any]:
    return {
        "instructions": plan.told("analyst"),
        "others": [_at_table(plan.scenario, seat) for seat in plan.seats],
        "history": history(plan.scenario, recent),
        "moves": _since_update(plan, recent) if "step" in work.payload else _moves(plan, state),
        "world_before": state.world_before,
        "profiles": [_profile(plan, seat) for seat in plan.seats],
        "previous": dict(state.metrics),
        "check": _check(plan.scenario, work),
        "metrics": _metrics(plan, work),
        "disclosures": list(state.disclosures),
        "at_end": bool(work.payload.get("at_end")),
    }


def _at_table(scenario: Scenario, seat: str) -> dict[str, str]:
    return {"seat": seat, "title": scenario.seat_title(seat), "role": scenario.seats[seat].role}


def _you(plan: Plan, seat: str) -> dict[str, Any]:
    declared = plan.scenario.seats[seat]
    return {
        **_profile(plan, seat),
        "principal": declared.principal.model_dump() if declared.principal else None,
        "situation": declared.situation,
        "knowledge": _knowledge(declared),
        "instructions": plan.told(seat),
        "opening": declared.opening,
    }


def _profile(plan: Plan, seat: str) -> dict[str, Any]:
    declared = plan.scenario.seats[seat]
    return {
        **_at_table(plan.scenario, seat),
        "goals": list(declared.goals),
        "constraints": list(declared.constraints),
        "style": declared.style,
        "expertise": _expertise(declared),
        "private": declared.private,
    }


def _expertise(seat: Seat) -> list[str]:
    if isinstance(seat.expertise, str):
        return [seat.expertise] if seat.expertise else []
    return [f"{field.replace('_', ' ')}: {level}" for field, level in seat.expertise.items()]


def _knowledge(seat: Seat) -> str:
    lines = []
    for key, value in seat.knowledge.items():
        lines.append(f"{key}: {value if isinstance(value, str) else canonical(normalise(value))}")
    return "\n".join(lines)


def _moves(plan: Plan, state: State) -> list[dict[str, str]]:
    scenario = plan.scenario
    return [
        {"seat": seat, "title": scenario.seat_title(seat), "action": state.moves[seat]}
        for seat in plan.seats
        if seat in state.moves
    ]


def _since_update(plan: Plan, entries: list[Entry]) -> list[dict[str, str]]:
    """In a flow: what was said since the world was last written, in the order in which it was said."""
    updates = [place for place, entry in enumerate(entries) if entry.kind == "world_update"]
    since = [entry for entry in entries[updates[-1] + 1 if updates else 0 :] if entry.kind == "message"]
    title = plan.scenario.seat_title
    return [
        {"seat": str(entry.seat), "title": title(str(entry.seat)), "action": str(entry.body["text"])} for entry in since
    ]


def _check(scenario: Scenario, work: Work) -> dict[str, str] | None:
    name = work.payload.get("check")
    if not isinstance(name, str):
        return None
    check = scenario.checks[name]
    return {"name": name, "description": check.description, "prompt": check.prompt}


def _metrics(plan: Plan, work: Work) -> list[dict[str, Any]]:
    asked = work.payload.get("metrics")
    names = [str(name) for name in asked] if isinstance(asked, list) else []
    return [_metric(plan, name, plan.scenario.metrics[name]) for name in names]


def _metric(plan: Plan, name: str, metric: Metric) -> dict[str, Any]:
    told = metric.model_dump(include={"description", "type", "unit", "categories", "per_seat", "prompt"})
    seats = plan.seats if metric.per_seat else [metric.seat] if metric.seat else []
    return {"name": name, **told, "range": list(metric.range) if metric.range else None, "seats": seats}


def result_schema(plan: Plan, work: Work) -> dict[str, Any]:
    """The JSON Schema that an event's result must fit: the event type's own, made exact for this run."""
    schema: dict[str, Any] = dict(plan.event_type(work).result_schema)
    if "step" in work.payload:
        return flow.specialised(schema, plan.scenario.flow[str(work.payload["step"])])
    if work.payload.get("tools_left"):
        return _with_tools(schema, plan.scenario.seats[str(work.payload["seat"])].tools)
    if work.phase == talk.PHASE:
        return view_talk.letters_schema(schema, work)
    if work.phase == pacts.PHASE:
        return view_talk.coalition_schema(schema, work)
    asked = work.payload.get("metrics")
    if work.phase != "metrics" or not isinstance(asked, list):
        return schema
    names = [str(name) for name in asked]
    values = {name: _value_schema(plan, plan.scenario.metrics[name]) for name in names}
    exact = {"type": "object", "properties": values, "required": names, "additionalProperties": False}
    return schema | {"properties": {**schema.get("properties", {}), "values": exact}}


def _with_tools(schema: dict[str, Any], tools: list[Tool]) -> dict[str, Any]:
    """A message, or a call of one of the tools with an input that fits its schema."""
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": tool.name}, "input": dict(tool.input_schema) or {"type": "object"}},
            "required": ["name", "input"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    asks = {"anyOf": [{"type": "null"}, *calls]}
    return schema | {"properties": {**schema.get("properties", {}), "tool_call": asks}}


def _value_schema(plan: Plan, metric: Metric) -> dict[str, Any]:
    schemas: dict[str, dict[str, Any]] = {
        "number": {"type": "number"},
        "integer": {"type": "integer"},
        "boolean": {"type": "boolean"},
        "text": {"type": "string", "maxLength": 400},
        "category": {"type": "string", "enum": list(metric.categories)},
    }
    one = schemas[metric.type]
    if metric.range is not None and metric.type in ("number", "integer"):
        one = one | {"minimum": metric.range[0], "maximum": metric.range[1]}
    if not metric.per_seat:
        return one
    seats = dict.fromkeys(plan.seats, one)
    return {"type": "object", "properties": seats, "required": plan.seats, "additionalProperties": False}
