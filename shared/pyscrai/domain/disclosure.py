"""Whether something that a seat said repeats what only that seat knows.

It may be meant: seats trade secrets. So nothing is stopped; it is named, and a report lists it. A word-for-word repeat
of five words, or of the whole of something shorter, counts; a paraphrase is for the analyst to find.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.entry import Audience, Draft
from pyscrai.domain.plan import Plan
from pyscrai.domain.scenario import Scenario, Seat

CHECK = "disclosure"
"""The check that the system itself makes of everything that a seat says, and that an oracle tells it."""
SAID = {
    "decision": ("action",),
    "message": ("text", "fields", "documents"),
    "proposal": ("name", "purpose", "reason"),
    "tool_result": ("content", "documents"),
}
SHINGLE = 5
SHORTEST = 8
"""Characters: something shorter (a number, a yes) is repeated by chance."""
_WORD = re.compile(r"[^\W_]+")


def secrets_of(seat: Seat, instructions: str) -> Iterator[tuple[str, str]]:
    """(what it is called, its text) of everything that a seat alone knows; its opening is there to be said.

    `instructions` are those of the run, which may differ from the scenario's.
    """
    yield from (("private", seat.private), ("situation", seat.situation), ("instructions", instructions))
    yield from (("style", seat.style), ("expertise", seat.expertise if isinstance(seat.expertise, str) else ""))
    yield "principal", seat.principal.description if seat.principal else ""
    for field, texts in (("goal", seat.goals), ("constraint", seat.constraints)):
        yield from ((f"{field} {number}", text) for number, text in enumerate(texts, 1))
    if isinstance(seat.expertise, dict):
        yield from ((f"expertise: {field}", level) for field, level in seat.expertise.items())
    for key, value in seat.knowledge.items():
        yield f"knowledge: {key}", value if isinstance(value, str) else canonical(normalise(value))
    yield from ((f"tool: {tool.name}", tool.description) for tool in seat.tools)


def found_in(plan: Plan, entry: Draft, disclosed: Mapping[str, Audience]) -> Iterator[tuple[str, str]]:
    """(key, what was disclosed in words) for each secret that an entry tells to somebody who did not know it.

    `disclosed`: key → who has heard it already. A key is a seat and the name of one of its secrets. A seat's own
    secrets count, and those of others that it has heard; an oracle knows all of them.
    """
    text = _text(entry)
    if not text or entry.visible_to == "none":
        return
    for owner in _tellable(plan, entry, disclosed):
        for name in _repeated(plan, owner, text):
            key = f"{owner}/{name}"
            heard = disclosed.get(key)
            if not _told_on(entry, owner, heard) or _known(heard, entry.visible_to, owner):
                continue
            yield key, _sentence(plan.scenario, entry, owner, name)


def _text(entry: Draft) -> str:
    return "\n".join(_flat(entry.body.get(field)) for field in SAID.get(entry.kind, ()))


def _flat(value: Any) -> str:
    """Every text in a value; keys of mappings are not said by anybody."""
    if isinstance(value, dict | list):
        return "\n".join(_flat(item) for item in (value.values() if isinstance(value, dict) else value))
    return value if isinstance(value, str) else ""


def _tellable(plan: Plan, entry: Draft, disclosed: Mapping[str, Audience]) -> list[str]:
    """Whose secrets an entry can tell: those of its speaker, those told before, and all of them if it is an oracle."""
    if entry.kind == "tool_result":
        return [seat for seat in plan.seats if seat != entry.seat]
    known = {key.partition("/")[0] for key in disclosed}
    return [seat for seat in plan.seats if seat == entry.seat or seat in known]


def _told_on(entry: Draft, owner: str, heard: Audience | None) -> bool:
    """Whether who speaks can have it from its owner: else two only happen to use the same words."""
    if entry.kind == "tool_result" or entry.seat == owner:
        return True
    return isinstance(heard, list) and entry.seat in heard


def _sentence(scenario: Scenario, entry: Draft, owner: str, name: str) -> str:
    title = scenario.seat_title(owner)
    heard = "everybody" if entry.visible_to == "all" else _others(scenario, entry, owner)
    if entry.kind == "tool_result":
        return f"An oracle told {heard} what only {title} knew ({name})"
    if entry.seat == owner:
        return f"{title} told {heard} in a {entry.kind} what only it knew ({name})"
    return f"{scenario.seat_title(str(entry.seat))} told {heard} in a {entry.kind} what only {title} had known ({name})"


def without_secrets(plan: Plan, disclosed: Mapping[str, Audience], texts: Sequence[str]) -> list[str]:
    """Findings of one who sees everything, for one whose words everybody reads: what repeats a secret is left out."""
    return [_tellable_text(plan, disclosed, text) for text in texts]


def _tellable_text(plan: Plan, disclosed: Mapping[str, Audience], text: str) -> str:
    for seat in plan.seats:
        if any(disclosed.get(f"{seat}/{name}") != "all" for name in _repeated(plan, seat, text)):
            return f"What is wrong cannot be told: it rests on what only {plan.scenario.seat_title(seat)} knows."
    return text


def is_grave(key: str) -> bool:
    """Whether a secret is more than what somebody wants, may or is like: those come out in any good talk."""
    return key.partition("/")[2].startswith(("private", "situation", "instructions", "knowledge"))


def _known(heard: Audience | None, by: Audience, owner: str) -> bool:
    if isinstance(by, list) and set(by) <= {owner}:
        return True
    if heard is None or heard == "none":
        return False
    return heard == "all" or (isinstance(by, list) and set(by) <= {*heard, owner})


def _others(scenario: Scenario, entry: Draft, owner: str) -> str:
    told = {*entry.visible_to} - {owner} - ({entry.seat} if entry.kind != "tool_result" else set())
    return ", ".join(scenario.seat_title(one) for one in sorted(told) if one in scenario.seats)


def widened(heard: Audience | None, by: Audience) -> Audience:
    """Who knows after it was told to `by` as well."""
    if by == "all" or heard == "all":
        return "all"
    return sorted({*(heard if isinstance(heard, list) else []), *by})


def listed(scenario: Scenario, found: Sequence[str], most: int, disclosed: Mapping[str, Audience]) -> list[str]:
    """What a report says: the latest `most` findings; where those may not be all, first who knows what by now."""
    if len(found) < most:
        return list(found)
    return [*(_by_now(scenario, key, heard) for key, heard in disclosed.items()), *found]


def _by_now(scenario: Scenario, key: str, heard: Audience) -> str:
    owner, _, name = key.partition("/")
    known = [scenario.seat_title(one) for one in heard if one != owner] if isinstance(heard, list) else ["everybody"]
    return f"By now {', '.join(known)} know what only {scenario.seat_title(owner)} knew ({name})"


def repeated(seat: Seat, text: str, instructions: str | None = None) -> list[str]:
    """Names of what a text repeats of a seat's secrets. `instructions`: those of the run, else the scenario's."""
    said = _spaced(text)
    told = seat.instructions if instructions is None else instructions
    return [
        name
        for name, secret in secrets_of(seat, told)
        if len(secret.strip()) >= SHORTEST and any(piece in said for piece in _pieces(secret))
    ]


def _repeated(plan: Plan, seat: str, text: str) -> list[str]:
    return repeated(plan.scenario.seats[seat], text, plan.told(seat))


@lru_cache(maxsize=64)
def _spaced(text: str) -> str:
    """The words of a text, with a blank around each; a line is held against the secrets of several seats."""
    return f" {' '.join(_words(text))} "


@lru_cache(maxsize=4096)
def _pieces(secret: str) -> tuple[str, ...]:
    words = _words(secret)
    if len(words) <= SHINGLE:
        return (f" {' '.join(words)} ",) if words else ()
    return tuple(f" {' '.join(words[at : at + SHINGLE])} " for at in range(len(words) - SHINGLE + 1))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def is_usual(entry: Draft) -> bool:
    """Whether a line tells of a disclosure as it happens in any good talk: goals and limits that were spoken of. It is
    listed, and does not count as inconsistent."""
    return is_disclosure(entry) and entry.body.get("severity") == "low"


def is_disclosure(entry: Draft) -> bool:
    return entry.kind == "check" and entry.body.get("check") == CHECK
