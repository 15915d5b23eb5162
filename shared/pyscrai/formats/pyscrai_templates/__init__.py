"""PyScrAI's own JSON templates (FORMATS §B: P0, P1 and P2): agents, scenarios and event types.

A scenario becomes a native one with the policy flow@1. What has no place is kept under `extensions.pyscrai.kept`, by
file and JSON Pointer, each with a finding: the loss report. `extensions.pyscrai.overrides` has, by seat, the rules for
what a run may change.
"""

from __future__ import annotations

from typing import Any

from pyscrai.domain.agent import AgentTemplate
from pyscrai.domain.scenario import Scenario
from pyscrai.formats import fields, native
from pyscrai.formats.assembly import Assembly, Source
from pyscrai.formats.findings import Finding
from pyscrai.formats.folder import Folder
from pyscrai.formats.positions import Document, Positions
from pyscrai.formats.pyscrai_templates import agents
from pyscrai.formats.pyscrai_templates.agents import is_agent
from pyscrai.formats.pyscrai_templates.casting import read_roles
from pyscrai.formats.pyscrai_templates.event_types import is_event_types, read_event_types
from pyscrai.formats.pyscrai_templates.flow import read_flow
from pyscrai.formats.words import line_of, paragraphs, readable

_KNOWN = ("name", "description", "config", "agent_roles", "event_flow", "runtime_customization")
_NO_PLACE = {
    "runtime_customization": "what a run changes is said when it is started",
    "version": "versions are the catalog's",
    "id": "ids are the catalog's",
    "created_at": "times are the catalog's",
    "updated_at": "times are the catalog's",
}
_NO_CLOCK = "scenario time is counted in turns, not by a clock"
_CONFIG = {
    "timeout_seconds": _NO_CLOCK,
    "duration_minutes": _NO_CLOCK,
    "completion_conditions": "the flow ends with its last step, or when every step has been played as often as it may",
    "error_handling": "failed work is always retried, and a failure is shown as one",
    "interaction_rules": "the flow says who acts when",
    "auto_progress": "a flow always goes on by itself",
    "max_iterations": "each step says how often it is played",
}


def is_scenario(data: Any) -> bool:
    """Whether a mapping is a scenario template: it has roles or a flow of events."""
    return isinstance(data, dict) and "seats" not in data and ("event_flow" in data or "agent_roles" in data)


def read_agent(document: Document, fallback_name: str) -> tuple[AgentTemplate | None, list[Finding], Positions]:
    """An agent template of any of the dialects, or of ours."""
    source = Source(document, document.file.rpartition("/")[2])
    agent, findings, positions = agents.read_agent(source, fallback_name)
    return agent, list(dict.fromkeys([*document.findings, *findings])), positions


def read_scenario(
    document: Document, fallback_name: str, folder: Folder | None
) -> tuple[Scenario | None, list[Finding], Positions]:
    """A scenario template with the agent templates beside it as a Scenario; None where there is an error."""
    into = Assembly(document.file)
    into.findings += document.findings
    source = Source(document, document.file.rpartition("/")[2])
    into.native |= {"name": fields.named(fallback_name), "seats": {}, "schedule": {"policy": "flow@1"}}
    title = fields.text(into, ("title",), (source, "name"), (source, "title"))
    if title is None:
        message = f'it is called "{into.native["name"]}": the scenario has no name'
        fields.missing(into, "warning", source, "name", message, _KNOWN)
    else:
        into.put(("name",), fields.named(title), source.take("name") or source)
    fields.text(into, ("description",), (source, "description"))
    fields.texts(into, ("tags",), (source, "tags"))
    config = fields.mapping(into, source, "config")
    _world(into, source, config)
    cast = read_roles(into, source, folder)
    read_flow(into, source, cast, config)
    if config is not None:
        _turns(into, config)
        into.finish(config, ("max_turns", "setting"), _CONFIG)
    into.finish(source, _KNOWN, _NO_PLACE)
    kept: dict[str, Any] = {"overrides": cast.overrides, "templates": cast.templates, "tools": cast.tools}
    kept["kept"] = into.kept
    into.native["extensions"] = {"pyscrai": {key: value for key, value in kept.items() if value}}
    return native.assembled(into)


def _world(into: Assembly, source: Source, config: Source | None) -> None:
    """What everybody knows at the start: the description, and the setting where there is one."""
    setting = fields.first((config, "setting"), (source, "setting"))
    lines = ""
    if setting is not None and isinstance(setting.value, dict):
        lines = "\n".join(f"{readable(key).capitalize()}: {line_of(item)}" for key, item in setting.value.items())
        into.put(("world", "facts"), setting.value, setting)
    elif setting is not None:
        lines = line_of(setting.value)
    text = paragraphs(into.native.get("description"), lines)
    if text:
        into.put(("world", "text"), text, setting or source.take("description") or source)


def _turns(into: Assembly, config: Source) -> None:
    """`max_turns` bounds the run where no step has it as its own bound already."""
    taken = config.take("max_turns")
    if taken is None:
        return
    flow = into.native.get("flow", {})
    before = into.native["schedule"].get("turns", 1)
    path = ("schedule", "turns")
    found = fields.number(into, path, taken, 1, 10_000, whole=True)
    if found is None or found >= before or any(step.get("repeat", 1) >= found for step in flow.values()):
        into.put(path, before, taken)


__all__ = ["is_agent", "is_event_types", "is_scenario", "read_agent", "read_event_types", "read_scenario"]
