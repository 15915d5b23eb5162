"""exogenous-events, both dialects → happenings, as they are written with their type."""

from __future__ import annotations

from typing import Any

from pyscrai.formats.assembly import Assembly, Source
from pyscrai.formats.findings import did_you_mean

LISTS = {
    "events": None,
    "exogenous_events": None,
    "trends": "trend",
    "random_events": "random",
    "conditional_events": "conditional",
    "scheduled_events": "scheduled",
}
"""Key → the type that its items have; None where each says its own."""
TYPES = ("trend", "random", "conditional", "scheduled")


def read_happenings(into: Assembly, source: Source, switched_on: bool) -> None:
    """Every event with a type; the policies of this version do not play them yet, and the rules say so."""
    found: list[Any] = []
    for key, kind in LISTS.items():
        if key not in source.data:
            continue
        if not switched_on:
            into.keep(source, key, "features.exogenous_events is switched off")
            continue
        taken = source.take(key)
        if taken is None:
            continue
        if not isinstance(taken.value, list | dict):
            into.say("error", taken, f"{key} is a list of events")
            continue
        named = taken.value.items() if isinstance(taken.value, dict) else enumerate(taken.value)
        for name, item in named:
            pointer = f"{taken.pointer}/{name}"
            event = _event(into, source, pointer, name, item, kind)
            if event is not None:
                into.trace(("happenings", str(len(found))), Source(source.document, source.file, item, pointer))
                found.append(event)
    if found:
        into.put(("happenings",), found, None)
    into.finish(source, LISTS, {"scenario_name": "the scenario's own name is used", "schema_version": "not needed"})


def _event(
    into: Assembly, source: Source, pointer: str, name: str | int, item: Any, kind: str | None
) -> dict[str, Any] | None:
    place = source.document.positions.place(pointer)
    if not isinstance(item, dict):
        into.say("error", place, "an event is a mapping (key: value)", path=pointer)
        return None
    declared = item.get("type", kind)
    if declared not in TYPES:
        at = source.document.positions.place(f"{pointer}/type")
        hint = did_you_mean(str(declared), TYPES) or f"one of: {', '.join(TYPES)}"
        into.say("error", at, f'"{declared}" is no type of event', hint, pointer)
        return None
    named = {"name": name} if isinstance(name, str) else {}
    return {**named, **item, "type": declared}
