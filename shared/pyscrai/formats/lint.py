"""Rules of good authorship, beyond what can be played: whose systems a tool reads, how a run ends, who knows what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pyscrai.domain.canonical import escape
from pyscrai.domain.rules import Problem
from pyscrai.domain.scenario import Scenario, Seat, Tool, slug
from pyscrai.formats.findings import Finding, in_order
from pyscrai.formats.load import Loaded

_ENDING = re.compile(
    r"(?:^|[_-])(approv(?:e|al)|den(?:y|ial)|reject(?:ion)?|accept(?:ance)?|declin(?:e|ed)|finali[sz]e|conclude)(?:$|[_-])"
)
_GOOD = ("approv", "accept")
_BAD = ("den", "reject", "declin")
_TELLING = 40
"""Characters from which a sentence that stands in two places is no coincidence."""


def lint(scenario: Scenario) -> list[Problem]:
    """What an experienced author would change, as problems with a JSON Pointer; none of them is an error."""
    return [
        *(problem for name, seat in scenario.seats.items() for problem in _seat(scenario, name, seat)),
        *_endings(scenario),
        *_secrets(scenario),
    ]


def _seat(scenario: Scenario, name: str, seat: Seat) -> Iterator[Problem]:
    here = f"/seats/{escape(name)}"
    yield from _principal(here, name, seat)
    if not seat.goals:
        yield Problem(here, f'"{scenario.seat_title(name)}" wants nothing', "add goals: they make a play", "note")
    first = scenario.schedule.first or next(iter(scenario.seats))
    if seat.opening and scenario.schedule.policy == "dialogue@1" and first != name:
        message = f'this opening is never spoken: "{first}" begins'
        yield Problem(f"{here}/opening", message, f"schedule: first: {name}", "warning")
    for i, tool in enumerate(seat.tools):
        yield from _reads(scenario, name, f"{here}/tools/{i}", tool)


def _principal(here: str, name: str, seat: Seat) -> Iterator[Problem]:
    """The principal is who is spoken for; the agent is who speaks."""
    if seat.principal is None:
        return
    principal = seat.principal.name.strip()
    if principal and slug(principal) == name:
        message = f'the seat is named like its principal, "{principal}"'
        yield Problem(f"{here}/principal", message, "the agent acts for the principal and is not it", "warning")
    you_are = re.compile(rf"\byou are (?:the )?{re.escape(principal)}(?=[.,;:!\n]|\s*$| and )", re.IGNORECASE)
    for key in ("instructions", "situation", "role"):
        if principal and you_are.search(getattr(seat, key)):
            message = f'the agent is told that it is its principal, "{principal}"'
            yield Problem(f"{here}/{key}", message, f'"You act for {principal}" keeps the two apart', "warning")


def _reads(scenario: Scenario, owner: str, pointer: str, tool: Tool) -> Iterator[Problem]:
    """A tool reads its owner's systems only; the oracle sees everybody's, so the guidance must not point there."""
    own = _keys(scenario.seats[owner].knowledge)
    for other, seat in scenario.seats.items():
        if other == owner:
            continue
        for key in sorted(_keys(seat.knowledge) - own):
            if len(key) > 3 and _pointed_at(key, tool.guidance):
                message = f'the guidance of "{tool.name}" names "{key}", which only {scenario.seat_title(other)} knows'
                yield Problem(f"{pointer}/guidance", message, "a tool reads its owner's systems only", "warning")
        for called in {scenario.seat_title(other), other, *([seat.principal.name] if seat.principal else [])}:
            if re.search(
                rf"\b{re.escape(called)}['’]s? (?:\w+ )?(?:knowledge|records?|systems?|files?)", tool.guidance
            ):
                message = f'the guidance of "{tool.name}" reads what belongs to {called}'
                yield Problem(f"{pointer}/guidance", message, "a tool reads its owner's systems only", "warning")


def _keys(knowledge: dict[str, Any]) -> set[str]:
    """The names in a knowledge base, two levels deep: what a guidance could point at."""
    found = set(knowledge)
    for value in knowledge.values():
        if isinstance(value, dict):
            found |= set(value)
    return found


def _pointed_at(key: str, guidance: str) -> bool:
    """A key that is a plain word counts only where it is quoted or a path; `treatmentHistory` speaks for itself."""
    if re.fullmatch(r"[a-z]+", key):
        return re.search(rf"[`'\".]{re.escape(key)}\b", guidance) is not None
    return re.search(rf"(?<!\w){re.escape(key)}(?!\w)", guidance) is not None


def _endings(scenario: Scenario) -> Iterator[Problem]:
    """A terminal tool ends with a status; a decision that can go two ways has two of them."""
    found: dict[str, str] = {}
    for name, seat in scenario.seats.items():
        for i, tool in enumerate(seat.tools):
            here = f"/seats/{escape(name)}/tools/{i}"
            decides = _ENDING.search(tool.name.lower())
            if decides and tool.ends is None:
                message = f'"{tool.name}" sounds like an ending, but the conversation goes on after it'
                yield Problem(here, message, "ends: success, failure or neutral", "warning")
            if tool.ends is None:
                continue
            found.setdefault(tool.ends, f"{here}/ends")
            word = decides.group(1) if decides else ""
            wrong = (word.startswith(_BAD) and tool.ends == "success") or (
                word.startswith(_GOOD) and tool.ends == "failure"
            )
            if wrong:
                yield Problem(
                    f"{here}/ends", f'"{tool.name}" ends with {tool.ends}', "is it the other way round?", "warning"
                )
            elif tool.ends == "neutral" and decides:
                message = f'"{tool.name}" decides something, but its outcome is neutral'
                yield Problem(f"{here}/ends", message, "success or failure says which way", "note")
    if set(found) == {"success"}:
        message = "a tool can end this well, none can end it badly"
        yield Problem(found["success"], message, "add a tool that ends with failure", "note")


def _secrets(scenario: Scenario) -> Iterator[Problem]:
    """What one seat keeps to itself must not stand where others read it."""
    public = [scenario.world.text, *scenario.world.challenges, *(seat.role for seat in scenario.seats.values())]
    for name, seat in scenario.seats.items():
        for sentence in re.split(r"(?<=[.!?])\s+|\n+", seat.private):
            if len(sentence) >= _TELLING and any(sentence in text for text in public):
                message = f'everybody can read what "{scenario.seat_title(name)}" keeps to itself'
                yield Problem(f"/seats/{escape(name)}/private", message, "take it out of what all know", "warning")
                break


def findings(loaded: Loaded) -> list[Finding]:
    """What `lint` says of a scenario that was loaded, with file and line; empty where there is no scenario."""
    if loaded.scenario is None:
        return []
    found = lint(loaded.scenario)
    return in_order(loaded.locate(one.pointer, one.message, one.hint, one.severity) for one in found)
