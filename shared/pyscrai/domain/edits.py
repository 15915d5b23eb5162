"""Choices that change what a scenario says of a seat, the narrator, the analyst, or one of its other parts, for one
run: `choices.edits`.

They are applied when the plan is built; the template stays as it is, and so does every other run of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from pyscrai.domain import rules
from pyscrai.domain.canonical import escape
from pyscrai.domain.overrides import refused_edits
from pyscrai.domain.scenario import Communication, Context, Reports, Scenario, Schedule, Seat, Voice, World

VOICES = ("narrator", "analyst")
SECTIONS: Mapping[str, type[BaseModel]] = {
    "world": World,
    "schedule": Schedule,
    "communication": Communication,
    "context": Context,
    "reports": Reports,
}
"""Further parts of a scenario; a seat of such a name goes before."""
Edits = Mapping[str, Mapping[str, Any]]
"""Seat (or narrator, analyst, or a part of `SECTIONS`) → field → value; null gives the field its default."""


def edited(scenario: Scenario, edits: Edits) -> Scenario:
    """The scenario as this run plays it. Raises ValidationError for edits that `problems` would name."""
    if not edits:
        return scenario
    document: dict[str, Any] = scenario.content()
    for who, fields in edits.items():
        held = document["seats"] if who in scenario.seats else document
        kept = {**held.get(who, {}), **fields}
        held[who] = {field: value for field, value in kept.items() if value is not None}
    return Scenario.model_validate(document)


def problems(scenario: Scenario, edits: Edits) -> Iterator[tuple[str, str]]:
    """(JSON Pointer into the edits, what is wrong), in the order of the edits."""
    unknown = list(_unknown(scenario, edits))
    if unknown:
        yield from unknown
        return
    try:
        changed = edited(scenario, edits)
    except ValidationError as error:
        for found in error.errors(include_url=False, include_input=False):
            yield _pointer([str(part) for part in found["loc"]]), found["msg"]
        return
    known = set(rules.errors(scenario))
    for problem in rules.errors(changed):
        if problem not in known:
            yield _pointer(problem.pointer.lstrip("/").split("/"), escaped=True), problem.message
    yield from refused_edits(scenario, edits)


def _unknown(scenario: Scenario, edits: Edits) -> Iterator[tuple[str, str]]:
    for who, fields in edits.items():
        part = Seat if who in scenario.seats else Voice if who in VOICES else SECTIONS.get(who)
        if part is None:
            yield f"/{escape(who)}", f"no such seat; there are {', '.join([*scenario.seats, *VOICES])}"
            continue
        for field in fields:
            if field not in part.model_fields:
                hint = rules.near(field, part.model_fields)
                yield f"/{escape(who)}/{escape(field)}", f"there is no such field; {hint}"


def _pointer(place: list[str], *, escaped: bool = False) -> str:
    """`/seats/mayor/goals/0` of the scenario is `/mayor/goals/0` of the edits."""
    parts = place[1:] if place[:1] == ["seats"] else place
    return "".join(f"/{part if escaped else escape(part)}" for part in parts)
