"""Event types of the PyScrAI dialects: declarations of what may happen, with a schema and seldom with a prompt."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.json_schemas import fault, slips
from pyscrai.domain.work import BUILT_IN_LANES, EventType
from pyscrai.formats import fields, native
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import Finding, did_you_mean
from pyscrai.formats.positions import Document, Positions
from pyscrai.formats.pyscrai_templates.schemas import as_schema, is_schema

LOG = "log"
"""The lane of what is a line of the log and no work for an engine."""
_OWN = ("schema", "data_schema", "event_category", "is_core")
_SHARED = ("category", "payload_schema", "result_schema", "prompt", "lane")
_KNOWN = ("name", "description", "schema", "category", "is_core", "prompt", "lane", "result_schema")


def is_event_types(data: Any) -> bool:
    """Whether this is one event type or a list of them."""
    items = _items(data)
    return bool(items) and all(_is_one(item) for item in items)


def read_event_types(document: Document) -> tuple[list[EventType], list[Finding], Positions]:
    """All event types of a document. Those without a prompt are fit for the log, not for an engine."""
    found: list[EventType] = []
    findings = [*document.findings]
    places = Positions({}, {"": document.positions.place("")}, document.file)
    seen: set[str] = set()
    data = document.data
    listed = data["event_types"] if isinstance(data, dict) and "event_types" in data else data
    top = "/event_types" if listed is not data else ""
    for i, item in enumerate(_items(data)):
        source = Source(document, document.file, item, f"{top}/{i}" if isinstance(listed, list) else top)
        into = Assembly(document.file)
        event_type = _one(into, source)
        if event_type is not None and event_type.name in seen:
            into.say("error", source, f'there are two event types called "{event_type.name}"', "keep one of them")
        elif event_type is not None:
            seen.add(event_type.name)
            found.append(event_type)
        findings += into.findings
        places = into.positions() if len(found) == 1 else places
    return found, findings, places


def _items(data: Any) -> list[dict[str, Any]]:
    if isinstance(data, dict) and isinstance(data.get("event_types"), list):
        data = data["event_types"]
    items = data if isinstance(data, list) else [data]
    return items if all(isinstance(item, dict) for item in items) else []


def _is_one(item: dict[str, Any]) -> bool:
    if str(item.get("format", "")).startswith("pyscrai/event-type"):
        return True
    own, shared = (sum(key in item for key in keys) for keys in (_OWN, _SHARED))
    return own >= 2 or ("name" in item and (own == 1 or shared >= 2))


def _one(into: Assembly, source: Source) -> EventType | None:
    named = source.take("name")
    into.mark((), source.place())
    source.used.add("format")
    if named is None or not isinstance(named.value, str) or not named.value.strip():
        fields.missing(into, "error", source, "name", "the event type has no name", _KNOWN)
        return None
    name = fields.named(named.value)
    into.put(("name",), name, named)
    if name != named.value:
        into.put(("title",), named.value, named)
    for key in ("title", "description", "system"):
        fields.text(into, (key,), (source, key))
    fields.text(into, ("category",), (source, "category"), (source, "event_category"))
    core = fields.truth(into, source.take("is_core"))
    into.put(("is_core",), bool(core), source)
    schema = fields.first(*((source, key) for key in ("payload_schema", "schema", "data_schema")))
    _schema(into, "payload_schema", schema)
    _schema(into, "result_schema", source.take("result_schema"))
    into.move(("renderer",), source, "renderer")
    _work(into, source, name)
    into.finish(source, _KNOWN, {"id": "ids are the catalog's", "version": "versions are the catalog's"})
    if into.kept or "extensions" in source.data:
        into.native["extensions"] = {**(source.value("extensions") or {}), "pyscrai": into.kept}
    if any(found.severity == "error" for found in into.findings):
        return None
    event_type, wrong = native.fitted(EventType, into.native, into.positions())
    into.findings += wrong
    return event_type


def _schema(into: Assembly, key: str, taken: Taken | None) -> None:
    if taken is None:
        return
    if not isinstance(taken.value, dict):
        message = f"a JSON Schema is wanted here, not {fields.shown(taken.value)}"
        into.say("error", taken, message, '"type": "object", with properties')
        return
    schema = as_schema(taken.value)
    wrong = fault(schema)
    if wrong is not None:
        pointer = f"{taken.pointer}{wrong.pointer}"
        at = taken.source.document.positions.place(pointer)
        into.say("error", at, wrong.message, wrong.hint, pointer)
        return
    for slip in slips(taken.value) if is_schema(taken.value) else ():
        pointer = f"{taken.pointer}{slip.pointer}"
        at = taken.source.document.positions.key(pointer)
        into.say("warning", at, slip.message, slip.hint, pointer)
    into.put((key,), schema, taken)


def _work(into: Assembly, source: Source, name: str) -> None:
    """Lane and prompt: with both it is work for an engine."""
    lane = fields.first((source, "lane"), (source, "engine_type"))
    prompt = fields.text(into, ("prompt",), (source, "prompt"), (source, "prompt_template"))
    if prompt is None:
        into.put(("prompt",), "", source)
        into.put(("lane",), LOG, source)
        message = f'"{name}" has no prompt: it is a line of the log, not work for an engine'
        into.say("note", source, message, "add a prompt and a lane to have an engine do it")
        return
    word = str(lane.value).strip().lower() if lane else "actor"
    into.put(("lane",), fields.named(word), lane or source)
    close = did_you_mean(word, BUILT_IN_LANES) if word not in BUILT_IN_LANES else None
    if close and lane:
        into.say("warning", lane, f'no engine here polls the lane "{word}"', close)
