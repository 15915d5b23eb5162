"""Letters between seats, statements to all, and messages inside a coalition, before a turn's decisions.

A letter is a `message` with a `channel`: bilateral (two parties), coalition (its members of that moment) or public. It
is no move: it is neither in the narrator's moves nor in the text that patterns read, unless everybody heard it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyscrai.domain.entry import Draft, Entry, draft
from pyscrai.domain.pacts import Coalition

PHASE = "communication"


def heard(arriving: Mapping[str, list[str]], coalitions: Mapping[str, Coalition], entry: Entry) -> dict[str, Any]:
    """Who has an answer to give in the next round because of a letter: its receiver, or the coalition's other members.

    Letters of one round cross each other, so none of them answers another. A closing letter awaits nothing.
    """
    channel, seat, to = entry.body["channel"], str(entry.seat), str(entry.body.get("to"))
    if channel == "public" or entry.body.get("closing"):
        return {}
    receivers, source = [to], seat
    if channel == "coalition":
        members = coalitions[to].members if to in coalitions else []
        receivers, source = [member for member in members if member != seat], to
    found = {who: list(sources) for who, sources in arriving.items()}
    for receiver in receivers:
        found[receiver] = list(dict.fromkeys([*found.get(receiver, []), source]))
    return {"arriving": found}


def letter(turn: int, seat: str, to: str, text: str, closing: bool, members: Mapping[str, list[str]]) -> Draft:
    """A letter to a seat or, where `to` is a coalition, to its `members`."""
    parties = [seat, *members[to]] if to in members else [seat, to]
    channel = "coalition" if to in members else "bilateral"
    body = {"text": text, "to": to, "closing": closing, "channel": channel}
    return draft("message", body, turn=turn, phase=PHASE, seat=seat, parties=list(dict.fromkeys(parties)))


def statement(turn: int, seat: str, text: str) -> Draft:
    """What a seat says to everybody."""
    body = {"text": text, "to": None, "closing": False, "channel": "public"}
    return draft("message", body, turn=turn, phase=PHASE, seat=seat)
