"""The steps of an `event_flow` as they stand there: P0's phases with their transitions, P2's steps by name."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.canonical import escape
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import did_you_mean
from pyscrai.formats.pyscrai_templates.triggers import Trigger

PHASE_KEYS = ("name", "description", "trigger", "duration", "prompt_template", "source", "target", "type")


class Step:
    """One step in the making: where it stands, who acts, and what it waits for."""

    def __init__(self, name: str, source: Source, conditions: Source | None, title: str) -> None:
        self.name = name
        self.source = source
        self.conditions = conditions
        self.title = title
        self.by: str | None = None
        self.repeat = 1
        self.trigger = Trigger(None)


def read_steps(into: Assembly, phased: Source | None, taken: Taken) -> tuple[list[Step], dict[str, str]]:
    """The steps in order, and step → the step that a transition leads from. `phased`: what holds P0's phases."""
    reader = _Reader(into, phased, taken)
    steps = reader.steps()
    return steps, reader.transitions(steps)


class _Reader:
    def __init__(self, into: Assembly, phased: Source | None, taken: Taken) -> None:
        self.into = into
        self.phased = phased
        self.taken = taken

    def steps(self) -> list[Step]:
        taken = (self.phased.take("phases") if self.phased else None) or self.taken
        if isinstance(taken.value, dict):
            pairs = [(str(name), value, escape(str(name))) for name, value in taken.value.items()]
        elif isinstance(taken.value, list):
            pairs = [(_named(item, i), item, str(i)) for i, item in enumerate(taken.value)]
        else:
            message = f"event_flow is a mapping of steps, not {fields.shown(taken.value)}"
            self.into.say("error", taken, message, 'as in {"opening": {…}}')
            return []
        if not pairs:
            self.into.say("error", taken, "the flow has no steps: nothing would happen", "add one")
        found: list[Step] = []
        for title, item, key in pairs:
            step = self.step(title, item, f"{taken.pointer}/{key}", isinstance(taken.value, list))
            if step is not None and step.name in [other.name for other in found]:
                at = step.source.place("name")
                message = f'there are two steps called "{title}"'
                self.into.say("error", at, message, "rename one of them", step.source.pointer)
            elif step is not None:
                found.append(step)
        return found

    def step(self, title: str, item: Any, pointer: str, listed: bool) -> Step | None:
        source = Source(self.taken.source.document, self.taken.source.file, {} if item is None else item, pointer)
        if not isinstance(item, dict):
            message = f'the step "{title}" is a mapping, not {fields.shown(item)}'
            self.into.say("error", source, message, '"source" says who acts, "conditions" when')
            return None
        if listed:
            source.used |= {"name", "step", "id"}
            if not _has_name(item):
                message = f'it is called "{title}": the step has no name'
                fields.missing(self.into, "warning", source, "name", message, PHASE_KEYS)
        return Step(fields.named(title), source, fields.mapping(self.into, source, "conditions"), title)

    def transitions(self, steps: list[Step]) -> dict[str, str]:
        """step → the step before it, as `transitions` says; empty where there are none."""
        outer = fields.mapping(self.into, self.phased, "transitions") if self.phased else None
        if self.phased:
            self.into.finish(self.phased, ("phases", "transitions"), {})
        names = [step.name for step in steps]
        if outer is None:
            return {}
        told: dict[str, str] = {}
        for before in outer.data:
            taken = outer.take(before)
            if fields.named(before) not in names:
                hint = did_you_mean(before, [step.title for step in steps])
                self.into.say("error", outer.place(before), f'there is no phase "{before}"', hint, outer.here(before))
            if taken is not None:
                for after in taken.value if isinstance(taken.value, list) else [taken.value]:
                    self.transition(steps, told, before, after, taken)
        return told

    def transition(self, steps: list[Step], told: dict[str, str], before: str, after: Any, taken: Taken) -> None:
        if not isinstance(after, str):
            self.into.say("error", taken, f"a transition leads to a phase, not to {fields.shown(after)}")
        elif fields.named(after) in [step.name for step in steps]:
            told.setdefault(fields.named(after), fields.named(before))
        elif not _is_end(after):
            hint = did_you_mean(after, [*(step.title for step in steps), "scenario_complete"])
            self.into.say("error", taken, f'there is no phase "{after}"', hint)


def _named(item: Any, i: int) -> str:
    if isinstance(item, dict):
        for key in ("name", "step", "id"):
            if isinstance(item.get(key), str) and item[key].strip():
                return str(item[key])
    return f"step-{i + 1}"


def _has_name(item: dict[str, Any]) -> bool:
    return any(isinstance(item.get(key), str) and item[key].strip() for key in ("name", "step", "id"))


def _is_end(word: str) -> bool:
    return fields.named(word).replace("-", "_") in (
        "scenario_complete",
        "scenario_end",
        "end",
        "complete",
        "completed",
        "done",
    )
