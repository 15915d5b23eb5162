"""Whether something that a seat said repeats what only that seat knows.

It may be meant: seats trade secrets. So nothing is stopped; it is named, and a report lists it. A word-for-word repeat
of five words, or of the whole of something shorter, counts; a paraphrase is for the analyst to find.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.entry import Audience, Draft
from pyscrai.domain.scenario import Scenario, Seat

CHECK = "disclosure"
"""The check that the system itself makes of everything that a seat says."""
SAID = {"decision": "action", "message": "text", "proposal": "purpose"}
SHINGLE = 5
SHORTEST = 8
"""Characters: something shorter (a number, a yes) is repeated by chance."""
_WORD = re.compile(r"[^\W_]+")


def secrets_of(seat: Seat) -> Iterator[tuple[str, str]]:
    """(what it is called, its text) of everything that a seat alone knows; its opening is there to be said."""
    yield from (("private", seat.private), ("situation", seat.situation), ("instructions", seat.instructions))
    yield from (("style", seat.style), ("expertise", seat.expertise if isinstance(seat.expertise, str) else ""))
    for field, texts in (("goal", seat.goals), ("constraint", seat.constraints)):
        yield from ((f"{field} {number}", text) for number, text in enumerate(texts, 1))
    if isinstance(seat.expertise, dict):
        yield from ((f"expertise: {field}", level) for field, level in seat.expertise.items())
    for key, value in seat.knowledge.items():
        yield f"knowledge: {key}", value if isinstance(value, str) else canonical(normalise(value))


def found_in(scenario: Scenario, entry: Draft, disclosed: Mapping[str, Audience]) -> Iterator[tuple[str, str]]:
    """(key, what was disclosed in words) for each secret that an entry tells to somebody who did not know it.

    `disclosed`: key → who has heard it already. A key is a seat and the name of one of its secrets.
    """
    text = entry.body.get(SAID[entry.kind]) if entry.kind in SAID else None
    seat = scenario.seats.get(entry.seat or "")
    if not isinstance(text, str) or seat is None or entry.visible_to in ("none", [entry.seat]):
        return
    for name in repeated(seat, text):
        key = f"{entry.seat}/{name}"
        if not _known(disclosed.get(key), entry.visible_to):
            heard = "everybody" if entry.visible_to == "all" else _others(scenario, entry)
            yield (
                key,
                f"{scenario.seat_title(str(entry.seat))} told {heard} in a {entry.kind} what only it knew ({name})",
            )


def is_grave(key: str) -> bool:
    """Whether a secret is more than what somebody wants, may or is like: those come out in any good talk."""
    return key.partition("/")[2].startswith(("private", "situation", "instructions", "knowledge"))


def _known(heard: Audience | None, by: Audience) -> bool:
    if heard is None or heard == "none":
        return False
    return heard == "all" or (isinstance(by, list) and set(by) <= set(heard))


def _others(scenario: Scenario, entry: Draft) -> str:
    return ", ".join(
        scenario.seat_title(one) for one in entry.visible_to if one != entry.seat and one in scenario.seats
    )


def widened(heard: Audience | None, by: Audience) -> Audience:
    """Who knows after it was told to `by` as well."""
    if by == "all" or heard == "all":
        return "all"
    return sorted({*(heard if isinstance(heard, list) else []), *by})


def repeated(seat: Seat, text: str) -> list[str]:
    """Names of what `text` repeats of the seat's secrets."""
    said = f" {' '.join(_words(text))} "
    return [
        name
        for name, secret in secrets_of(seat)
        if len(secret.strip()) >= SHORTEST and any(f" {piece} " in said for piece in _pieces(secret))
    ]


@lru_cache(maxsize=4096)
def _pieces(secret: str) -> tuple[str, ...]:
    words = _words(secret)
    if len(words) <= SHINGLE:
        return (" ".join(words),) if words else ()
    return tuple(" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
