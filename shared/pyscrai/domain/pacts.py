"""Coalitions: proposed, accepted or rejected by each seat that was asked, standing from then on, left, dissolved.

Every move is a line `proposal` of the log with an `act`; only its parties see it, so who could know of a coalition,
and when, is a question to the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from pyscrai.domain.entry import Draft, Entry, draft

PHASE = "coalition"
NOBODY = "-"
"""No seat is called that."""
ACTS = ("propose", "accept", "reject", "formed", "failed", "leave", "dissolved")


class Coalition(BaseModel):
    """Seats that stand together, from the turn in which all who were asked and agreed formed it."""

    model_config = ConfigDict(frozen=True)

    name: str
    purpose: str
    members: list[str]
    since: int


class Offer(BaseModel):
    """A coalition that was proposed in this turn: who was asked, and what they said so far."""

    model_config = ConfigDict(frozen=True)

    by: str
    name: str
    purpose: str
    asked: list[str]
    accepted: list[str] = []
    rejected: list[str] = []

    @property
    def parties(self) -> list[str]:
        return [self.by, *self.asked]


def name_of(turn: int, seat: str) -> str:
    """The name of what a seat proposes in a turn: each proposes one coalition at most."""
    return f"t{turn}-{seat}"


def line(
    act: str,
    coalition: str,
    *,
    turn: int,
    parties: list[str],
    seat: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> Draft:
    """One move, for its parties to see."""
    body = {"act": act, "coalition": coalition, **(more or {})}
    return draft("proposal", body, turn=turn, phase=PHASE, seat=seat, parties=parties)


def told(coalitions: Mapping[str, Coalition], offers: Mapping[str, Offer], entry: Entry) -> dict[str, Any]:
    """What a move changes of the state's `coalitions` and `offers`."""
    body: dict[str, Any] = dict(entry.body)
    act, name, seat = body["act"], str(body["coalition"]), str(entry.seat)
    if act == "propose":
        offer = Offer(by=seat, name=body["name"], purpose=body["purpose"], asked=body["with"])
        return {"offers": {**offers, name: offer}}
    if act in ("accept", "reject") and name in offers:
        offer = offers[name]
        kept = "accepted" if act == "accept" else "rejected"
        return {"offers": {**offers, name: offer.model_copy(update={kept: [*getattr(offer, kept), seat]})}}
    if act == "formed":
        made = Coalition(name=body["name"], purpose=body["purpose"], members=body["members"], since=entry.turn)
        return {"coalitions": {**coalitions, name: made}, "offers": _without(offers, name)}
    if act == "failed":
        return {"offers": _without(offers, name)}
    if act == "leave" and name in coalitions:
        left = coalitions[name]
        members = [member for member in left.members if member != seat]
        return {"coalitions": {**coalitions, name: left.model_copy(update={"members": members})}}
    return {"coalitions": _without(coalitions, name)} if act == "dissolved" else {}


def _without(named: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in named.items() if key != name}


def sentence(body: Mapping[str, Any], title: Callable[[str], str]) -> str:
    """A move in words; what a seat did begins with the verb. `title`: what people read for a seat."""
    act, name = body.get("act"), f"“{body.get('name') or body.get('coalition')}”"
    reason = f": {body['reason']}" if body.get("reason") else ""
    if act == "propose":
        return f"proposes the coalition {name} to {_all_of(body.get('with'), title)}: {body.get('purpose', '')}"
    if act == "formed":
        members, purpose = _all_of(body.get("members"), title), body.get("purpose", "")
        return f"The coalition {name} is formed: {members} stand together. {purpose}".strip()
    said = {
        "accept": f"accepts the coalition {name}{reason}",
        "reject": f"rejects the coalition {name}{reason}",
        "failed": f"The coalition {name} does not come about.",
        "leave": f"leaves the coalition {name}",
        "dissolved": f"The coalition {name} is over: too few are left.",
    }
    return said.get(str(act), f"{act}: {name}")


def _all_of(seats: Any, title: Callable[[str], str]) -> str:
    named = [title(str(seat)) for seat in seats] if isinstance(seats, list) else []
    return " and ".join(named) if len(named) < 3 else f"{', '.join(named[:-1])} and {named[-1]}"


def unanswered(offers: Mapping[str, Offer]) -> dict[str, list[str]]:
    """Seat → the offers that it was asked to join and has not answered."""
    found: dict[str, list[str]] = {}
    for name, offer in offers.items():
        for seat in offer.asked:
            if seat not in offer.accepted and seat not in offer.rejected:
                found.setdefault(seat, []).append(name)
    return found


def settled(coalitions: Mapping[str, Coalition], offers: Mapping[str, Offer], turn: int) -> Iterator[Draft]:
    """What came of the offers, and which coalitions have too few members left to be one."""
    for name, offer in offers.items():
        members = [offer.by, *(seat for seat in offer.asked if seat in offer.accepted)]
        if len(members) > 1:
            told = {"name": offer.name, "purpose": offer.purpose, "members": members}
            yield line("formed", name, turn=turn, parties=offer.parties, more=told)
        else:
            yield line("failed", name, turn=turn, parties=offer.parties, more={"name": offer.name})
    for name, standing in coalitions.items():
        if len(standing.members) < 2:
            # Without any member left nobody learns of it: an empty list of parties would mean everybody.
            parties = standing.members or [NOBODY]
            yield line("dissolved", name, turn=turn, parties=parties, more={"name": standing.name})


def of(coalitions: Mapping[str, Coalition], seat: str) -> dict[str, Coalition]:
    """The coalitions that a seat stands in."""
    return {name: found for name, found in coalitions.items() if seat in found.members}
