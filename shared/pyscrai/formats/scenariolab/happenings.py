"""exogenous-events, both dialects → happenings."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.scenario import slug
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import did_you_mean
from pyscrai.formats.words import as_text

LISTS = {
    "events": None,
    "exogenous_events": None,
    "trends": "trend",
    "random_events": "random",
    "conditional_events": "conditional",
    "scheduled_events": "scheduled",
}
"""Key → the type that its items have; None where each says its own."""
KEYS = (
    *("name", "id", "title", "type", "text", "effect", "impact", "description", "narrative", "event", "turn", "turns"),
    *("at_turn", "turn_range", "frequency", "every", "interval", "probability", "chance", "conditions", "condition"),
    *("when", "once", "facts", "effects", "state_changes"),
)
TYPES = ("trend", "random", "conditional", "scheduled")


def read_happenings(into: Assembly, source: Source, switched_on: bool) -> None:
    """Every event with a type, and the turns, chance and conditions that it depends on."""
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


SWANS = "black_swans"
SWITCH = "enable_black_swans"
CHANCE = 0.1
"""Of an unforeseen event in a turn, where its author gives none."""


def read_swans(into: Assembly, source: Source) -> None:
    """Unforeseen events of scenario.yaml: drawn by the seed, each once at most, where they are switched on."""
    switch, listed = source.take(SWITCH), source.data.get(SWANS)
    on = switch.value if switch else None
    if on is not None and not isinstance(on, bool):
        into.say("error", switch or source, f"{SWITCH} is true or false, not {on!r}")
    if not listed:
        source.used |= {SWANS} & set(source.data)
        if on is True and switch is not None:
            into.keep(source, SWITCH, "there are no black_swans to draw from")
        return
    if on is not True:
        into.keep(source, SWANS, f"{SWITCH} is not on")
        return
    taken = source.take(SWANS)
    if taken is None or not isinstance(taken.value, list | dict):
        into.say("error", source.place(SWANS), f"{SWANS} is a list of events", path=source.here(SWANS))
        return
    happenings = into.native.setdefault("happenings", [])
    named = taken.value.items() if isinstance(taken.value, dict) else enumerate(taken.value)
    for name, item in named:
        told = {"text": item} if isinstance(item, str) else item
        pointer = f"{taken.pointer}/{name}"
        event = _event(
            into, source, pointer, f"black swan {name + 1}" if isinstance(name, int) else name, told, "random"
        )
        if event is not None:
            event.setdefault("probability", CHANCE)
            into.mark(("happenings", str(len(happenings))), source.document.positions.place(pointer))
            happenings.append(event)


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
    event = Source(source.document, source.file, item, pointer)
    event.used.add("type")
    return _Event(into, event, name, str(declared)).read()


class _Event:
    """One event of the dialect as a happening."""

    def __init__(self, into: Assembly, source: Source, name: str | int, kind: str) -> None:
        self.into = into
        self.source = source
        self.name = name
        self.kind = kind

    def read(self) -> dict[str, Any]:
        told = self.source.take("text", "effect", "impact", "description", "narrative", "event")
        titled = self.source.take("name", "id", "title")
        name = str(titled.value) if titled else self.name if isinstance(self.name, str) else f"event-{self.name + 1}"
        text = as_text(told.value).strip() if told else name
        found: dict[str, Any] = {"name": name[:120], "type": self.kind, "text": text}
        found |= self._turns() | self._chance() | self._condition()
        if isinstance(once := self.source.value("once"), bool):
            found["once"] = once
        if isinstance(facts := self.source.value("facts", "effects", "state_changes"), dict):
            found["facts"] = facts
        self.into.finish(self.source, KEYS, {})
        return found

    def _turns(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        at = self.source.take("turn", "turns", "at_turn")
        if at:
            listed = at.value if isinstance(at.value, list) else [at.value]
            found["turns"] = [turn for one in listed if (turn := self._whole(at, one)) is not None]
        within = self.source.take("turn_range")
        if within:
            ends = within.value
            if isinstance(ends, dict):
                ends = [ends.get("start", ends.get("min", 1)), ends.get("end", ends.get("max"))]
            if not isinstance(ends, list) or len(ends) != 2:
                self.into.say("error", within, "turn_range is the first and the last turn", "as in [2, 5]")
            else:
                first, last = (None if end is None else self._whole(within, end) for end in ends)
                found |= {"first": first or 1} | ({"last": last} if last else {})
        every = self.source.take("frequency", "every", "interval")
        if every and (number := self._whole(every, every.value)) is not None:
            found["every"] = number
        return found

    def _whole(self, taken: Taken, value: Any) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        words = {"every_turn": 1, "every turn": 1, "each_turn": 1, "always": 1}
        if isinstance(value, str) and value.strip().lower() in words:
            return words[value.strip().lower()]
        self.into.say("error", taken, f"{taken.key} is a whole number from 1 on, not {value!r}")
        return None

    def _chance(self) -> dict[str, Any]:
        taken = self.source.take("probability", "chance")
        if taken is None:
            return {}
        value = taken.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            self.into.say("error", taken, f"{taken.key} is a number from 0 to 1, not {value!r}")
            return {}
        return {"probability": value}

    def _condition(self) -> dict[str, Any]:
        """A mapping metric → comparison, all of which have to hold; or a condition in words of ours."""
        taken = self.source.take("conditions", "condition", "when")
        if taken is None:
            return {}
        if isinstance(taken.value, str):
            return {"when": taken.value}
        if not isinstance(taken.value, dict):
            self.into.say("error", taken, f"{taken.key} is a mapping of metrics", 'as in trust: ">= 7"')
            return {}
        return {"when": " and ".join(_comparison(name, value) for name, value in taken.value.items())}


def _comparison(metric: str, value: Any) -> str:
    """`{trust: ">= 7"}` → `trust >= 7`; a bare value means that it is equal."""
    text = str(value).strip().lower() if isinstance(value, bool) else str(value).strip()
    return f"{slug(metric)} {text}" if text[:1] in "<>=!" else f"{slug(metric)} == {text}"
