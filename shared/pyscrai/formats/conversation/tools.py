"""`tools` of an agent → tools of its seat, which an oracle answers."""

from __future__ import annotations

import json
import re
from typing import Any

from pyscrai.domain.json_schemas import TYPES, fault
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import did_you_mean, one_of

KNOWN = (
    "toolName",
    "description",
    "inputSchema",
    "synthesisGuidance",
    "endsConversation",
    "conversationEndStatus",
)
STATUSES = {
    "success": "success",
    "succeeded": "success",
    "approved": "success",
    "failure": "failure",
    "failed": "failure",
    "denied": "failure",
    "neutral": "neutral",
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")
_ANY_INPUT = {"type": "object"}


def read_tools(into: Assembly, agent: Source, seat: tuple[str, ...]) -> None:
    """All tools of one agent."""
    taken = agent.take("tools")
    if taken is None:
        return
    listed = taken.value
    if isinstance(listed, dict):
        listed = [{"toolName": name, **(tool if isinstance(tool, dict) else {})} for name, tool in listed.items()]
        pointers = [f"{taken.pointer}/{name}" for name in taken.value]
    elif isinstance(listed, list):
        pointers = [f"{taken.pointer}/{i}" for i in range(len(listed))]
    else:
        into.say("error", taken, f"tools is a list, not {fields.shown(listed)}", 'as in "tools": [{"toolName": …}]')
        return
    found: list[dict[str, Any]] = []
    into.put((*seat, "tools"), found, taken)
    for item, pointer in zip(listed, pointers, strict=True):
        source = Source(agent.document, agent.file, {} if item is None else item, pointer)
        if isinstance(item, str):
            into.say("warning", source, f'nothing is said about the tool "{item}" but its name', "write it out")
            source.data = {"toolName": item}
        elif not isinstance(item, dict):
            into.say("error", source, f"a tool is a mapping, not {fields.shown(item)}", 'as in {"toolName": …}')
            continue
        tool = _tool(into, source, (*seat, "tools", str(len(found))))
        if tool is not None:
            found.append(tool)


def _tool(into: Assembly, source: Source, path: tuple[str, ...]) -> dict[str, Any] | None:
    """One tool. Positions are traced by hand: a list of the native document has no keys to put to."""
    named = fields.first(*((source, key) for key in ("toolName", "name", "tool_name")))
    if named is None or not isinstance(named.value, str) or not named.value.strip():
        fields.missing(into, "error", source, "toolName", "the tool has no toolName", KNOWN)
        return None
    tool: dict[str, Any] = {"name": _name(into, named)}
    into.trace(path, source)
    into.trace((*path, "name"), named)
    for key, ours in (("description", "description"), ("synthesisGuidance", "guidance")):
        taken = fields.first((source, key), (source, ours))
        if taken is not None:
            if not isinstance(taken.value, str):
                into.say("warning", taken, f'"{taken.key}" is {fields.shown(taken.value)}: it is taken as text')
            tool[ours] = taken.value if isinstance(taken.value, str) else json.dumps(taken.value, ensure_ascii=False)
            into.trace((*path, ours), taken)
    _schema(into, source, path, tool)
    _ending(into, source, path, tool)
    into.finish(source, KNOWN, {})
    return tool


def _name(into: Assembly, named: Taken) -> str:
    name = str(named.value)
    if _NAME.match(name):
        return name
    better = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.-")[:64] or "tool"
    message = f'models cannot call "{name}": it is called "{better}"'
    into.say("warning", named, message, 'letters, digits, "_", "." and "-", at most 64')
    return better


def _schema(into: Assembly, source: Source, path: tuple[str, ...], tool: dict[str, Any]) -> None:
    keys = ("inputSchema", "input_schema", "parameters", "schema")
    taken = fields.first(*((source, key) for key in keys))
    tool["input_schema"] = dict(_ANY_INPUT)
    if taken is None:
        return
    schema = taken.value
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError:
            schema = taken.value
    if not isinstance(schema, dict):
        _any_input(into, source, taken.key, f"inputSchema is a JSON Schema, not {fields.shown(schema)}", None, "")
        return
    lowered = _lowered(schema)
    if lowered != schema:
        message = "types of JSON Schema are written small: they are read so"
        into.say("note", taken, message, '"object", not "OBJECT"')
    wrong = fault(lowered)
    if wrong is None and lowered.get("type", "object") == "object":
        tool["input_schema"] = {"type": "object", **lowered}
        into.trace((*path, "input_schema"), taken)
        return
    pointer, message, hint = wrong or ("/type", "a tool's input is an object", '"type": "object", with properties')
    _any_input(into, source, taken.key, message, hint, pointer)


def _any_input(into: Assembly, source: Source, key: str, message: str, hint: str | None, below: str) -> None:
    """Keep a schema that is none: the tool takes any input instead."""
    pointer = source.here(key)
    into.kept.setdefault(source.file, {})[pointer] = source.data[key]
    at = source.document.positions.place(f"{pointer}{below}")
    into.say("warning", at, f"{message}; the tool takes any input", hint, f"{pointer}{below}")


def _lowered(schema: Any, depth: int = 0) -> Any:
    """`{"type": "STRING"}` as `{"type": "string"}`, wherever a schema says a type."""
    if isinstance(schema, list):
        return [_lowered(item, depth + 1) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _lowered(value, depth + 1) for key, value in schema.items()}
    kind = found.get("type")
    if isinstance(kind, str) and kind.lower() in TYPES:
        found["type"] = kind.lower()
    return found


def _ending(into: Assembly, source: Source, path: tuple[str, ...], tool: dict[str, Any]) -> None:
    ends = fields.truth(into, source.take("endsConversation"))
    status = source.take("conversationEndStatus")
    if status is None:
        if ends:
            tool["ends"] = "neutral"
            into.trace((*path, "ends"), source.take("endsConversation"))
            message = f'"{tool["name"]}" ends the conversation without saying how: the outcome is neutral'
            at = source.place("endsConversation")
            into.say("warning", at, message, '"conversationEndStatus": success, failure or neutral', source.pointer)
        return
    if not ends:
        why = "the tool does not end the conversation"
        into.keep(source, "conversationEndStatus", why, "warning", '"endsConversation": true')
        return
    word = str(status.value).strip().lower()
    if word not in STATUSES:
        wanted = ("success", "failure", "neutral")
        message = f'a conversation does not end with the status "{status.value}"'
        into.say("error", status, message, did_you_mean(word, wanted) or one_of(wanted))
        return
    tool["ends"] = STATUSES[word]
    into.trace((*path, "ends"), status)
