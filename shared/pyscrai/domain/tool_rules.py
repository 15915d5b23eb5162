"""The rules of tools: a name of its own, a schema that is one, guidance for the oracle, an ending."""

from __future__ import annotations

from collections.abc import Iterator

from pyscrai.domain.canonical import escape
from pyscrai.domain.json_schemas import fault, slips
from pyscrai.domain.metric_rules import Found
from pyscrai.domain.scenario import Scenario, Seat, Tool


def problems(scenario: Scenario) -> Iterator[Found]:
    """What is wrong with the tools of each seat."""
    dialogue = scenario.schedule.policy == "dialogue@1"
    equipped = {name: seat for name, seat in scenario.seats.items() if seat.tools}
    for name, seat in equipped.items():
        here = f"/seats/{escape(name)}/tools"
        if not dialogue:
            yield here, "tools are played in dialogue@1 only", "policy: dialogue@1", "warning"
        yield from _of_seat(here, seat)
    if not (equipped and dialogue):
        return
    if scenario.schedule.limits.tool_calls == 0:
        yield "/schedule/limits/tool_calls", "no tool may ever be called", "at least 1, or leave it out", "warning"
    if not any(tool.ends for seat in equipped.values() for tool in seat.tools):
        message = "no tool ends the conversation: it ends when every seat has closed, or at a limit"
        yield "/seats", message, "say ends: success, failure or neutral on a tool", "note"


def _of_seat(here: str, seat: Seat) -> Iterator[Found]:
    seen: dict[str, int] = {}
    for i, tool in enumerate(seat.tools):
        pointer = f"{here}/{i}"
        if tool.name in seen:
            message = f'there are two tools called "{tool.name}"'
            yield f"{pointer}/name", message, "give each a name of its own", "error"
        seen.setdefault(tool.name, i)
        yield from _tool(pointer, tool)


def _tool(pointer: str, tool: Tool) -> Iterator[Found]:
    if not (tool.description.strip() or tool.guidance.strip()):
        yield pointer, f'nothing says what "{tool.name}" does', "add a description and guidance", "warning"
    elif not tool.guidance.strip():
        message = f'"{tool.name}" has no guidance: the oracle answers from what the seats know'
        yield pointer, message, "add guidance: what it returns, and from where", "note"
    schema = f"{pointer}/input_schema"
    wrong = fault(tool.input_schema)
    if wrong is not None:
        yield f"{schema}{wrong.pointer}", wrong.message, wrong.hint, "error"
        return
    if tool.input_schema.get("type", "object") != "object":
        yield f"{schema}/type", "a tool's input is an object", "type: object, with properties", "error"
    for slip in slips(tool.input_schema):
        yield f"{schema}{slip.pointer}", slip.message, slip.hint, "warning"
