"""Switches and numbers of communication → what seats say to each other before they decide.

The original's turns begin with private messages and coalitions; a scenario that says nothing of them has them too.
"""

from __future__ import annotations

from typing import Any

from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import did_you_mean

SWITCHES = {
    "enable_bilateral_communication": "bilateral",
    "enable_coalition_formation": "coalitions",
    "enable_public_statements": "statements",
}
NUMBER, TYPES, WINDOW = "max_communications_per_turn", "communication_types", ("context_window_size", "context_window")
KNOWN = (*SWITCHES, NUMBER, TYPES, *WINDOW)
_TYPES = {
    "bilateral": "bilateral",
    "private": "bilateral",
    "direct": "bilateral",
    "coalition": "coalitions",
    "coalitions": "coalitions",
    "group": "coalitions",
    "public": "statements",
    "statement": "statements",
    "public_statement": "statements",
    "broadcast": "statements",
}
MOST = 20


def read_communication(into: Assembly, source: Source, switched_on: bool) -> None:
    """Which ways of talking a scenario has, how many letters a seat may begin, and how far back seats remember."""
    found: dict[str, Any] = dict.fromkeys(SWITCHES.values(), switched_on)
    origin: Taken | None = None
    if types := source.take(TYPES):
        origin = types
        listed = _listed(into, types)
        found = {name: switched_on and name in listed for name in found}
    for key, name in SWITCHES.items():
        taken = source.take(key)
        if taken is None:
            continue
        origin = taken
        if isinstance(taken.value, bool):
            found[name] = switched_on and taken.value
        else:
            into.say("error", taken, f"{key} is true or false, not {taken.value!r}")
    features = source.within("features")
    within = features.within("communications") if features else None
    letters = source.take(NUMBER) or (within.take("max_per_turn") if within else None)
    if letters and (most := _whole(into, letters)) is not None:
        found["letters"] = most
    into.put(("communication",), found, origin or letters or source)
    window = source.take(*WINDOW)
    if window and (turns := _whole(into, window)) is not None:
        into.put(("context", "window"), turns, window)


def _listed(into: Assembly, taken: Taken) -> set[str]:
    names = taken.value if isinstance(taken.value, list) else [taken.value]
    found = set()
    for name in names:
        word = str(name).strip().lower()
        if word in _TYPES:
            found.add(_TYPES[word])
        else:
            into.say("error", taken, f'"{name}" is no way to communicate', did_you_mean(word, _TYPES))
    return found


def _whole(into: Assembly, taken: Taken) -> int | None:
    if isinstance(taken.value, int) and not isinstance(taken.value, bool) and taken.value >= 1:
        if taken.value > MOST:
            into.say("warning", taken, f"{taken.key} is {taken.value}: {MOST} is the most", None)
        return min(taken.value, MOST)
    into.say("error", taken, f"{taken.key} is a whole number from 1 on, not {taken.value!r}")
    return None
