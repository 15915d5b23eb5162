"""`event_flow` → the flow of flow@1: who acts in each step, when, how often, and what is asked."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.canonical import escape
from pyscrai.domain.scenario import readable
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import did_you_mean
from pyscrai.formats.pyscrai_templates.casting import Cast
from pyscrai.formats.pyscrai_templates.schemas import as_properties
from pyscrai.formats.pyscrai_templates.steps import PHASE_KEYS, Step, read_steps
from pyscrai.formats.pyscrai_templates.triggers import by_order, trigger_of

SOURCES = {
    "system": "system",
    "scenario": "system",
    "all": "all_seats",
    "all_agents": "all_seats",
    "all_actors": "all_seats",
    "other_actors": "all_seats",
    "actors": "all_seats",
    "any_actor": "any_seat",
    "any_agent": "any_seat",
    "any": "any_seat",
    "actor": "any_seat",
    "narrator": "narrator",
    "analyst": "analyst",
}
_BY_TYPE = {"trigger": "system", "state_change": "narrator", "narrative": "narrator", "analysis": "analyst"}
_STEP = ("type", "source", "target", "conditions", "data_schema", "prompt_template", "description")
_CONDITIONS = ("trigger", "required", "repeatable", "max_iterations", "n", "required_if", "final")
_SAID = {
    "": ("text", "message", "content", "to", "thought"),
    "narrator": ("narrative", "facts", "changes"),
    "analyst": ("summary", "findings"),
}
"""Fields that every answer has: by whom it is, or "" for a seat."""
_NO_CLOCK = "scenario time is counted in turns, not by a clock"
_NO_PLACE = dict.fromkeys(("duration", "duration_minutes", "timeout", "timeout_seconds", "delay"), _NO_CLOCK)
_NO_PLACE |= {"priority": "what happens together is one wave"}
MANY = 10
"""How often a repeatable step is played at most where the document does not say."""


def read_flow(into: Assembly, source: Source, cast: Cast, config: Source | None) -> None:
    """The whole flow, in the order of the document; a step of a role that nobody plays is left out."""
    taken = source.take("event_flow")
    if taken is None:
        known = ("name", "config", "agent_roles")
        fields.missing(into, "error", source, "event_flow", "nothing would happen: there is no event_flow", known)
        return
    into.put(("flow",), {}, None)
    into.mark(("flow",), taken.place)
    outer = source.within("event_flow")
    _Flow(into, outer, taken, cast, config).run()


class _Flow:
    def __init__(self, into: Assembly, outer: Source | None, taken: Taken, cast: Cast, config: Source | None) -> None:
        self.into = into
        self.outer = outer
        self.taken = taken
        self.cast = cast
        self.config = config
        self.phased = outer is not None and isinstance(outer.data.get("phases"), list | dict)

    def run(self) -> None:
        steps, transitions = read_steps(self.into, self.outer if self.phased else None, self.taken)
        for i, step in enumerate(steps):
            self.who(step)
            step.trigger = trigger_of(self.into, step.source, step.conditions, [s.name for s in steps], step.name)
            self.often(step)
            by_order(self.into, steps, i, transitions)
        played = self.present(steps)
        if played and not any(step.trigger.on == "start" for step in played):
            self.beginning()
        for step in played:
            self.write(step, end=step is played[-1])
        self.bound()

    def who(self, step: Step) -> None:
        """`source`: a role or a word for several; without it, P0 has everybody act and P2's type says who."""
        taken = fields.first(*((step.source, key) for key in ("source", "role", "agent", "actor")))
        kind = step.source.value("type")
        if taken is None:
            step.by = "all_seats" if self.phased else _BY_TYPE.get(str(kind), "any_seat")
            if not self.phased:
                message = f'"{step.title}" is by {step.by}: it has no source'
                fields.missing(self.into, "warning", step.source, "source", message, _STEP)
            return
        word = str(taken.value).strip()
        step.by = self.cast.parts.get(word) or self.cast.parts.get(fields.named(word))
        if step.by is None and word not in self.cast.absent:
            step.by = SOURCES.get(word.lower())
            if step.by is None:
                known = [*self.cast.parts, *self.cast.absent, *SOURCES]
                self.into.say("error", taken, f'there is no role "{word}"', did_you_mean(word, known))
                step.by = "any_seat"
            elif step.by in self.cast.absent:
                step.by = None

    def present(self, steps: list[Step]) -> list[Step]:
        """Without the steps of absent roles; what waited for one of those waits for what it waited for."""
        absent = {step.name: step.trigger.on for step in steps if step.by is None}
        for step in steps:
            seen: set[str] = set()
            while step.trigger.on in absent and step.trigger.on not in seen:
                seen.add(step.trigger.on)
                step.trigger = step.trigger._replace(on=absent[step.trigger.on])
        for step in steps:
            if step.by is None:
                self.into.keep_whole(step.source, step.title, "nobody plays its role")
        return [step for step in steps if step.by is not None]

    def often(self, step: Step) -> None:
        conditions = step.conditions
        repeatable = fields.truth(self.into, conditions.take("repeatable")) if conditions else None
        taken = fields.first((conditions, "max_iterations"), (step.source, "max_iterations"))
        most = self.resolved(taken) if taken else None
        turns = self.config.data.get("max_turns") if self.config else None
        if most is None and (repeatable or step.trigger.on == "every_n_turns"):
            most = turns if isinstance(turns, int) and not isinstance(turns, bool) and turns > 0 else MANY
            if step.trigger.n:
                most = -(-most // step.trigger.n)
        step.repeat = 1 if most is None or repeatable is False else min(most, 10_000)

    def resolved(self, taken: Taken) -> int | None:
        """A number, or the path of one in the document, as in "config.max_turns"."""
        value = taken.value
        if isinstance(value, str) and not value.strip().isdigit():
            path = value.strip().strip("{}$ ").split(".")
            value, known = self.taken.source.data, ["config.max_turns"]
            for key in path:
                known = [f"config.{k}" for k in self.config.data] if self.config else known
                value = value.get(key) if isinstance(value, dict) else None
            if value is None:
                hint = did_you_mean(str(taken.value), known)
                self.into.say("error", taken, f'there is no "{taken.value}" in the document', hint)
                return None
        number = int(value) if isinstance(value, str) and value.strip().isdigit() else value
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            self.into.say("error", taken, "a whole number above 0 is wanted here", 'or "config.max_turns"')
            return None
        return number

    def beginning(self) -> None:
        """Something has to happen first, so that a turn can be complete."""
        self.into.put(("flow", "scenario_start"), {"by": "system", "on": "start", "prompt": self.scene()}, None)
        self.into.mark(("flow", "scenario_start"), self.taken.place)
        message = "no step is triggered by scenario_start: the system opens the scenario"
        self.into.say("note", self.taken, message, '"trigger": "scenario_start" on the first step')

    def scene(self) -> str:
        native = self.into.native
        return f"The scenario begins: {native.get('title') or native['name']}. {native.get('description', '')}".strip()

    def write(self, step: Step, *, end: bool) -> None:
        path = ("flow", step.name)
        prompt = self.prompt(step)
        on, narrated = step.trigger.on or "start", f"{step.name}.scene"
        if self.phased and step.by == "all_seats" and "narrator" in self.cast.parts.values():
            # P0 hands a phase to everybody: the narrator sets its scene first.
            self.into.put(("flow", narrated), {"by": "narrator", "on": on, "prompt": prompt}, step.source)
            on = narrated
        by = self.cast.seats[0] if step.by == "all_seats" and len(self.cast.seats) == 1 else step.by
        told: dict[str, Any] = {"by": by, "on": on, "to": self.to(step), "repeat": step.repeat}
        told["prompt"] = prompt
        if step.trigger.n is not None:
            told["n"] = step.trigger.n
        required = step.conditions.take("required") if step.conditions else None
        if fields.truth(self.into, required) is False:
            told["required"] = False
        self.into.put(path, told, step.source)
        for key, origin in (("by", "source"), ("to", "target")):
            if origin in step.source.data:
                self.into.trace((*path, key), Taken(step.source, origin, None))
        if step.trigger.taken is not None:
            self.into.trace((*path, "on"), step.trigger.taken)
        self.result(step, path)
        if step.conditions:
            step.conditions.used |= {"required_if", "final"}
            self.into.finish(step.conditions, _CONDITIONS, _NO_PLACE)
        self.into.finish(step.source, PHASE_KEYS if self.phased else _STEP, _NO_PLACE)

    def to(self, step: Step) -> str:
        step.source.used.add("target")
        target = step.source.data.get("target")
        if target is None:
            return "all"
        at, path = step.source.place("target"), step.source.here("target")
        if not isinstance(target, str):
            message = f"one role is wanted here, not {fields.shown(target)}: everybody is addressed"
            self.into.say("warning", at, message, 'as in "target": "all"', path)
            return "all"
        seat = self.cast.parts.get(target)
        if seat in self.cast.seats:
            return str(seat)
        if seat is None and target not in self.cast.absent and target.lower() not in SOURCES:
            known = [*self.cast.parts, *SOURCES]
            self.into.say("error", at, f'there is no role "{target}"', did_you_mean(target, known), path)
        return "all"

    def prompt(self, step: Step) -> str:
        found = fields.first(*((step.source, key) for key in ("prompt_template", "prompt")))
        told = step.source.take("description")
        if found is not None:
            return fields.told(self.into, found)
        if told is not None:
            return fields.told(self.into, told)
        if step.by != "system":
            return f"{readable(step.name)}."
        if step.trigger.on == "start":
            return self.scene()
        return "The scenario is over." if step.trigger.on == "end" else f"{readable(step.name)}."

    def result(self, step: Step, path: tuple[str, ...]) -> None:
        taken = fields.first((step.source, "data_schema"), (step.source, "schema"))
        if taken is None:
            return
        if not isinstance(taken.value, dict):
            message = f"data_schema is a mapping of fields, not {fields.shown(taken.value)}"
            self.into.say("error", taken, message, 'as in {"mood": "string"}')
            return
        if step.by == "system":
            self.into.keep(step.source, taken.key, "the system asks no model")
            return
        properties, unknown = as_properties(taken.value)
        for field in [field for field in properties if field in _SAID.get(str(step.by), _SAID[""])]:
            del properties[field]
            pointer = f"{taken.pointer}/{escape(field)}"
            self.into.kept.setdefault(step.source.file, {})[pointer] = taken.value[field]
            at = taken.source.document.positions.key(pointer)
            self.into.lose(at, pointer, f'"{field}" is not asked for apart: it is what the answer says anyway')
        for field in unknown:
            pointer = f"{taken.pointer}/{escape(field)}"
            at = taken.source.document.positions.place(pointer)
            hint = did_you_mean(
                str(taken.value.get(field)), ("string", "number", "integer", "boolean", "object", "array")
            )
            self.into.say("warning", at, f'"{taken.value.get(field)}" is no type: it may be anything', hint, pointer)
        self.into.put((*path, "result"), properties, taken)

    def bound(self) -> None:
        """As many turns as the flow has waves at most."""
        total = sum(step.get("repeat", 1) for step in self.into.native["flow"].values())
        self.into.put(("schedule", "turns"), max(1, min(total, 10_000)), None)
