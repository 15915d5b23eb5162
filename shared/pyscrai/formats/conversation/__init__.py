"""ScenarioConfigurations (FORMATS §C) as native scenarios with the policy dialogue@1.

The scenario and its agents stand in one document, or in several files of a folder. What the dialect has and we have no
place for is kept under `extensions.conversation`, by file and JSON Pointer, each with a finding: the loss report.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyscrai.domain.canonical import escape
from pyscrai.domain.scenario import Scenario, readable
from pyscrai.formats import fields, native
from pyscrai.formats.assembly import Assembly, Source
from pyscrai.formats.conversation.agents import MARKS, is_agent, read_agent
from pyscrai.formats.conversation.parts import Parts
from pyscrai.formats.findings import Finding
from pyscrai.formats.folder import Folder
from pyscrai.formats.positions import Document, Positions

MESSAGES = 40
"""How many messages a conversation has at most where the document does not say."""
_ABOUT = ("id", "title", "description", "tags", "background", "challenges", "interactionNotes", "language")
_LIMITS = ("maxTurns", "max_turns", "turns", "maxMessages")
_NO_PLACE = {
    "interactionNotes": "they are notes for authors",
    "version": "versions are the catalog's",
    "schemaVersion": "the document is read by its content",
    "schema_version": "the document is read by its content",
    "author": "who owns a template is the catalog's",
    "createdAt": "times are the catalog's",
    "updatedAt": "times are the catalog's",
}
_STORED = dict.fromkeys(("id", "name", "history", "created", "modified"), "it is the catalog's")
_OTHERS = ("seats", "actors", "event_flow", "agent_roles", "initial_world_state", "personality_config", "assets")


def is_conversation(data: Any) -> bool:
    """Whether plain values look like a ScenarioConfiguration, perhaps without its agents."""
    if not isinstance(data, dict) or any(key in data for key in _OTHERS):
        return False
    if _wrapped(data):
        return True
    if isinstance(data.get("metadata"), dict) or isinstance(data.get("scenario"), dict):
        return True
    agents = data.get("agents")
    items = list(agents.values()) if isinstance(agents, dict) else agents if isinstance(agents, list) else []
    return any(isinstance(item, dict) and any(mark in item for mark in MARKS) for item in items) or (
        "agents" in data and any(key in data for key in ("metadata", "scenario", "title", "background"))
    )


def read(
    document: Document, fallback_name: str, others: Callable[[], Folder | None] = lambda: None
) -> tuple[Scenario | None, list[Finding], Positions]:
    """A ScenarioConfiguration as a Scenario; None where there is an error. `others` gives the files beside it."""
    into = Assembly(document.file)
    into.findings += document.findings
    reader = _Reader(into, Source(document, document.file.rpartition("/")[2]), Parts(into, others))
    reader.run(fallback_name)
    if into.kept:
        into.native["extensions"] = {"conversation": into.kept}
    return native.assembled(into)


def _wrapped(data: dict[str, Any]) -> bool:
    """`{name, config, history}`: a scenario as its own API stores it."""
    inner = data.get("config")
    return isinstance(inner, dict) and "agents" not in data and is_conversation(inner)


class _Reader:
    def __init__(self, into: Assembly, source: Source, parts: Parts) -> None:
        self.into = into
        self.source = source
        self.parts = parts

    def run(self, fallback: str) -> None:
        if _wrapped(self.source.data):
            outer = self.source
            inner = outer.within("config")
            assert inner is not None
            self.into.finish(outer, ("config",), _STORED)
            self.source = inner
        self.into.native |= {"name": fields.named(fallback), "seats": {}, "schedule": {"policy": "dialogue@1"}}
        self.about(fallback)
        self.agents()
        self.titles()
        self.opening()
        self.limit()
        if str(self.source.data.get("type", "")).lower().startswith("scenario"):
            self.source.used.add("type")
        self.into.finish(self.source, ("metadata", "scenario", "agents"), _NO_PLACE)

    def about(self, fallback: str) -> None:
        """Title, background and so on: from metadata, else scenario, else the top of the document."""
        into = self.into
        meta, older = (fields.mapping(into, self.source, key) for key in ("metadata", "scenario"))
        if meta is None and older is None:
            message = "the document does not say what it is: it has no metadata"
            fields.missing(
                into, "warning", self.source, "metadata", message, ("agents",), 'add "metadata" with a title'
            )
        places = (meta, older, self.source)
        fields.text(into, ("title",), *((place, key) for place in places for key in ("title", "name")))
        ids = fields.first(*((place, "id") for place in places))
        named = str(ids.value) if ids else into.native.get("title") or fallback
        into.put(("name",), fields.named(named), ids or self.source)
        fields.text(into, ("description",), *((place, "description") for place in places))
        fields.text(into, ("language",), *((place, "language") for place in places))
        fields.texts(into, ("tags",), *((place, "tags") for place in places))
        into.put(("world",), {}, meta or older or self.source)
        text = fields.text(into, ("world", "text"), *((place, "background") for place in places))
        if text is None and into.native.get("description"):
            into.put(("world", "text"), into.native["description"], meta or older or self.source)
        fields.texts(into, ("world", "challenges"), *((place, "challenges") for place in places))
        for place in (meta, older):
            if place is not None:
                self.bound(place)
                into.finish(place, _ABOUT, _NO_PLACE)

    def bound(self, place: Source) -> None:
        if "turns" not in self.into.native["schedule"]:
            path = ("schedule", "turns")
            fields.number(self.into, path, fields.first(*((place, k) for k in _LIMITS)), 1, 10_000, whole=True)

    def limit(self) -> None:
        self.bound(self.source)
        if "turns" not in self.into.native["schedule"]:
            self.into.put(("schedule", "turns"), MESSAGES, self.source)

    def agents(self) -> None:
        self.into.mark(("seats",), self.source.place("agents"))
        for name, source in self.parts.agents(self.source):
            if name is None:
                fields.missing(self.into, "error", source, "agentId", "the agent has no agentId", ("id", "name"))
                continue
            if fields.named(name) in self.into.native["seats"]:
                at = source.place("agentId")
                self.into.say(
                    "error", at, f'there are two agents called "{name}"', "give each an agentId", source.pointer
                )
                continue
            read_agent(self.into, source, fields.named(name))
            if fields.named(name) != name:
                self.into.kept.setdefault(source.file, {})[f"{source.pointer}/agentId"] = name

    def titles(self) -> None:
        """The principal's name is what people read, and the agent's is its role; unless two act for the same one."""
        seats = self.into.native["seats"]
        shown = [str(seat.get("title", "")).strip().lower() for seat in seats.values()]
        for (name, seat), title in zip(seats.items(), shown, strict=True):
            shared = shown.count(title) > 1
            if title and not seat.get("role"):
                seat["role"] = f"speaks for {seat['title']}" if shared else readable(name)
            if shared:
                seat["title"] = readable(name)

    def opening(self) -> None:
        openers = [name for name, seat in self.into.native["seats"].items() if seat.get("opening")]
        if not openers:
            return
        self.into.put(("schedule", "first"), openers[0], self.source)
        for other in openers[1:]:
            at = self.into.positions().place(f"/seats/{escape(other)}/opening")
            message = f'"{openers[0]}" begins: this message is not used'
            self.into.say("note", at, message, "keep the one of the agent that begins", f"/seats/{other}/opening")


__all__ = ["is_agent", "is_conversation", "read"]
