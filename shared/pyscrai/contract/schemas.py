"""The published JSON Schemas (draft 2020-12) of the documents and of log entries, made from the models.

They say what a document looks like in full; the readers in `formats` also take short forms. Rules that cross
fields (a name that dangles) are in `domain.rules`, not in a schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from pyscrai.domain.agent import AgentTemplate
from pyscrai.domain.entry import CONTROL, STORY, Entry
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.work import EventType

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of `pyscrai/scenario@1`."""
    schema = _published(Scenario, "scenario@1", "PyScrAI scenario, version 1")
    endings = schema["$defs"]["Schedule"]["properties"]["end_when"]
    endings["items"] = {"anyOf": [{"type": "string", "description": "the condition alone"}, endings["items"]]}
    return schema


def event_type_schema() -> dict[str, Any]:
    """The JSON Schema of `pyscrai/event-type@1`."""
    return _published(EventType, "event-type@1", "PyScrAI event type, version 1")


def agent_schema() -> dict[str, Any]:
    """The JSON Schema of `pyscrai/agent@1`."""
    return _published(AgentTemplate, "agent@1", "PyScrAI agent, version 1")


def entry_schema() -> dict[str, Any]:
    """The JSON Schema of a log entry. `kind` lists the kinds there are; a reader passes unknown ones through."""
    schema = _published(Entry, "entry@1", "PyScrAI log entry, version 1")
    kinds = [
        {"enum": sorted(STORY), "description": "the story: what the digest covers"},
        {"enum": sorted(CONTROL), "description": "control: what was done with the run"},
        {"type": "string", "description": "a kind of a later minor version"},
    ]
    schema["properties"]["kind"] = {"title": "Kind", "anyOf": kinds}
    return schema


PUBLISHED: Mapping[str, Callable[[], dict[str, Any]]] = {
    "scenario": scenario_schema,
    "event-type": event_type_schema,
    "agent": agent_schema,
    "entry": entry_schema,
}
"""What `pyscrai schema` prints, and docs/schemas keeps."""


def _published(model: type[BaseModel], name: str, title: str) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True)
    return {"$schema": DIALECT, "$id": f"urn:pyscrai:{name}", **schema, "title": title}
