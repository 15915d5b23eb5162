"""Agents of a ScenarioConfiguration → seats."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.scenario import readable
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source
from pyscrai.formats.conversation.tools import read_tools
from pyscrai.formats.findings import did_you_mean

KNOWN = (
    "agentId",
    "principal",
    "situation",
    "systemPrompt",
    "goals",
    "tools",
    "knowledgeBase",
    "messageToUseWhenInitiatingConversation",
    "name",
    "role",
    "model",
    "temperature",
)
MARKS = ("agentId", "systemPrompt", "knowledgeBase", "messageToUseWhenInitiatingConversation", "principal")
OPENINGS = ("messageToUseWhenInitiatingConversation", "initialMessage", "initiatingMessage")
_IDS = ("agentId", "id", "agent_id", "name")
_PRINCIPALS = {"individual": "individual", "person": "individual", "organization": "organization"}
_PRINCIPALS |= {"organisation": "organization", "company": "organization"}


def is_agent(data: Any) -> bool:
    """Whether a mapping is one agent of a ScenarioConfiguration in a file of its own."""
    if not isinstance(data, dict) or "agents" in data or "metadata" in data:
        return False
    return "agentId" in data or sum(mark in data for mark in MARKS) >= 2


def agent_id(data: dict[str, Any]) -> str | None:
    """How an agent is called: its agentId, also where that is written as {id, label, role}."""
    for key in _IDS:
        value = data.get(key)
        if isinstance(value, dict):
            value = value.get("id")
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def read_agent(into: Assembly, source: Source, name: str) -> None:
    """One agent as the seat `name`."""
    seat = ("seats", name)
    into.put(seat, {}, source)
    if "agentId" in source.data:
        into.mark(seat, source.place("agentId"))
    label = _identity(into, source, seat)
    principal = _principal(into, source, seat)
    title = principal or label
    if title:
        into.put((*seat, "title"), title, source)
    fields.text(into, (*seat, "role"), (source, "role"))
    fields.text(into, (*seat, "situation"), (source, "situation"), (source, "description"))
    prompts = ((source, key) for key in ("systemPrompt", "system_prompt", "instructions", "prompt"))
    if fields.text(into, (*seat, "instructions"), *prompts) is None:
        message = "nothing tells the agent how to act: it has no systemPrompt"
        fields.missing(into, "warning", source, "systemPrompt", message, KNOWN)
    fields.texts(into, (*seat, "goals"), (source, "goals"))
    fields.texts(into, (*seat, "constraints"), (source, "constraints"))
    fields.text(into, (*seat, "opening"), *((source, key) for key in OPENINGS))
    fields.text(into, (*seat, "model"), (source, "model"))
    fields.number(into, (*seat, "temperature"), source.take("temperature"), 0, 2)
    _knowledge(into, source, seat)
    read_tools(into, source, seat)
    if str(source.data.get("type", "")).lower() == "agent":
        source.used.add("type")
    into.finish(source, KNOWN, {})


def _identity(into: Assembly, source: Source, seat: tuple[str, ...]) -> str | None:
    """What people read for the agent where it has no principal."""
    ids = source.take("agentId")
    label = fields.first((source, "label"), (source, "title"), (source, "name"))
    for key in ("id", "agent_id"):
        source.used.add(key)
    if ids is not None and isinstance(ids.value, dict):
        inner = source.within("agentId")
        found = inner.value("label") if inner else None
        role = inner.value("role") if inner else None
        if isinstance(role, str) and role and inner and "role" not in source.data:
            into.put((*seat, "role"), role, inner)
        return str(found) if isinstance(found, str) and found else None
    return label.value if label and isinstance(label.value, str) else None


def _principal(into: Assembly, source: Source, seat: tuple[str, ...]) -> str | None:
    taken = source.take("principal")
    if taken is None:
        if "principal" not in source.data:
            into.say("note", source, "it is not said for whom the agent acts", 'add "principal"')
        return None
    path = (*seat, "principal")
    if isinstance(taken.value, str):
        into.put(path, {"name": taken.value}, taken)
        return taken.value
    inner = fields.mapping(into, source, "principal")
    if inner is None:
        return None
    into.trace(path, taken)
    into.put((*path, "name"), "", inner)
    name = fields.text(into, (*path, "name"), (inner, "name"))
    told = fields.text(into, (*path, "description"), (inner, "description"))
    if not name:
        into.say("warning", inner, "the principal has no name", 'add "name"')
        into.put((*path, "name"), told or readable(seat[-1]), inner)
    kind = inner.take("type")
    if kind is not None:
        word = str(kind.value).strip().lower()
        if word in _PRINCIPALS:
            into.put((*path, "type"), _PRINCIPALS[word], kind)
        else:
            message = f'a principal is an individual or an organization, not "{kind.value}"'
            into.keep(inner, "type", message, "warning", did_you_mean(word, ("individual", "organization")))
    into.finish(inner, ("type", "name", "description"), {})
    return name


def _knowledge(into: Assembly, source: Source, seat: tuple[str, ...]) -> None:
    taken = fields.first((source, "knowledgeBase"), (source, "knowledge"), (source, "knowledge_base"))
    if taken is None:
        return
    if not isinstance(taken.value, dict):
        message = f"a knowledge base is a mapping, not {fields.shown(taken.value)}: it is kept as one note"
        into.say("warning", taken, message, 'as in {"policy": …}')
    value = taken.value if isinstance(taken.value, dict) else {"notes": taken.value}
    into.put((*seat, "knowledge"), value, taken)
