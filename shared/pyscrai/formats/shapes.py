"""The native document before validation: short forms written out, unknown keys set aside, empty keys left out."""

from __future__ import annotations

import types
import typing
from typing import Any, NamedTuple

from pydantic import BaseModel

from pyscrai.domain.canonical import escape
from pyscrai.domain.scenario import Check, EndWhen, Metric, Part, Principal, Seat, Tool, Voice, World
from pyscrai.formats.findings import Finding, did_you_mean, finding
from pyscrai.formats.positions import Positions

SHORT: dict[type[BaseModel], str] = {
    World: "text",
    Principal: "name",
    Seat: "role",
    Voice: "instructions",
    Metric: "description",
    Check: "prompt",
    EndWhen: "when",
    Tool: "name",
}
"""A text in place of such a part means this key of it."""

FOREIGN = {
    "actors": "seats",
    "agents": "seats",
    "roles": "seats",
    "initial_world_state": "world: text",
    "background": "world: text",
    "system_prompt": "instructions",
    "systemprompt": "instructions",
    "prompt": "instructions",
    "llm_model": "model",
    "num_turns": "schedule: turns",
    "turns": "schedule: turns",
    "turn_duration": "schedule: turn_length",
    "turn_length": "schedule: turn_length",
    "policy": "schedule: policy",
    "phases": "schedule: phases",
    "end_when": "schedule: end_when",
    "world_state_model": "narrator: model",
    "validation_model": "analyst: model",
    "name": "title",
    "short_name": "the seat's own key",
    "decision_style": "style",
    "decision_making_style": "style",
    "private_information": "private",
    "knowledgebase": "knowledge",
    "pattern_regex": "pattern",
    "regex": "pattern",
    "extraction_method": "by",
    "actor": "seat",
    "validation": "checks",
    "exogenous_events": "happenings",
}
"""Other dialects' words, by ours: what `did you mean` cannot know."""


class Shape(NamedTuple):
    """What a key holds: a part, a list or a mapping of parts, texts, or anything else."""

    kind: str
    part: type[Part] | None = None
    nullable: bool = False


def shape_of(annotation: Any) -> Shape:
    """The shape that a field's annotation asks for."""
    if hasattr(annotation, "__metadata__"):
        return shape_of(annotation.__origin__)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = [shape_of(a) for a in args if a is not type(None)]
        part = next((s for s in inner if s.part), inner[0])
        return Shape(part.kind, part.part, type(None) in args)
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return Shape("part", annotation)
    if origin is dict and (inner_part := shape_of(args[1])).kind == "part":
        return Shape("named", inner_part.part)
    if origin is list:
        item = shape_of(args[0])
        return Shape("parts", item.part) if item.kind == "part" else Shape("texts" if args[0] is str else "any")
    return Shape("any")


class Tidied(NamedTuple):
    data: dict[str, Any]
    unknown: dict[str, Any]
    moves: list[tuple[str, str]]
    findings: list[Finding]


def tidy(data: dict[str, Any], root: type[Part], positions: Positions) -> Tidied:
    """The document in its long form. Unknown keys come back apart, by JSON Pointer; each has a finding."""
    worker = _Tidy(positions)
    tidied = worker.part(root, data, "")
    return Tidied(tidied, worker.unknown, worker.moves, worker.findings)


class _Tidy:
    def __init__(self, positions: Positions) -> None:
        self.positions = positions
        self.unknown: dict[str, Any] = {}
        self.moves: list[tuple[str, str]] = []
        self.findings: list[Finding] = []

    def part(self, cls: type[Part], value: Any, pointer: str) -> Any:
        if isinstance(value, str) and cls in SHORT:
            return {SHORT[cls]: value}
        if not isinstance(value, dict):
            return value
        kept: dict[str, Any] = {}
        for key, child in value.items():
            here = f"{pointer}/{escape(key)}"
            field = cls.model_fields.get(key)
            if field is None:
                self.set_aside(cls, key, child, here)
                continue
            shape = shape_of(field.annotation)
            if child is None and not shape.nullable:
                where = self.positions.key(here)
                self.findings.append(finding("warning", where, here, f'"{key}" is empty', "fill it in or delete it"))
                continue
            kept[key] = self.child(shape, child, here)
        return kept

    def child(self, shape: Shape, value: Any, pointer: str) -> Any:
        if shape.part is None:
            return [value] if shape.kind == "texts" and isinstance(value, str) else value
        if shape.kind == "part":
            return self.part(shape.part, value, pointer)
        if shape.kind == "parts":
            items = [value] if isinstance(value, str | dict) else value
            if items is not value:
                self.moves.append((f"{pointer}/0", pointer))
            if not isinstance(items, list):
                return value
            return [self.part(shape.part, item, f"{pointer}/{i}") for i, item in enumerate(items)]
        return self.named(shape.part, value, pointer)

    def named(self, cls: type[Part], value: Any, pointer: str) -> Any:
        if isinstance(value, list):
            value = self.by_name(value, pointer)
        if not isinstance(value, dict):
            return value
        return {
            key: self.part(cls, {} if child is None else child, f"{pointer}/{escape(key)}")
            for key, child in value.items()
        }

    def by_name(self, items: list[Any], pointer: str) -> Any:
        """`[a, b]` and `[{name: a, …}]` as `{a: …, b: …}`; anything else is left for validation to refuse."""
        found: dict[str, Any] = {}
        for i, item in enumerate(items):
            name = item.get("name") if isinstance(item, dict) else item
            if not isinstance(name, str):
                return items
            here, old = f"{pointer}/{escape(name)}", f"{pointer}/{i}"
            if name in found:
                where = self.positions.place(old)
                self.findings.append(finding("error", where, here, f'"{name}" is here twice', "keep one of them"))
                continue
            found[name] = {k: v for k, v in item.items() if k != "name"} if isinstance(item, dict) else {}
            self.moves.append((here, old))
        self.positions = self.positions.moved(self.moves)
        return found

    def set_aside(self, cls: type[Part], key: str, value: Any, pointer: str) -> None:
        ours = FOREIGN.get(key.lower())
        where = self.positions.key(pointer)
        self.unknown[pointer] = value
        if hint := did_you_mean(key, cls.model_fields):
            # A slip of the pen: playing on without what was meant would be another scenario, perhaps a dearer one.
            message = f'the key "{key}" is unknown (keys of your own go under extensions)'
            self.findings.append(finding("error", where, pointer, message, hint, unused=True))
            return
        if ours and ours.split(":")[0] in {*cls.model_fields, "the seat's own key"}:
            hint = f'here it is called "{ours}"'
        hint = hint or "known here: " + ", ".join(cls.model_fields)
        message = f'the key "{key}" is unknown, so it is not used (kept under extensions)'
        self.findings.append(finding("warning", where, pointer, message, hint, unused=True))
