"""Who could know what, and since when: read from a log alone. What a seat did not get to read it could not know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from pyscrai.domain.disclosure import CHECK as DISCLOSURE
from pyscrai.domain.entry import Entry


class Since(BaseModel):
    """A seat that could know of something, from that number and turn of the log on."""

    model_config = ConfigDict(frozen=True)

    seat: str
    since: int
    turn: int


class Secret(BaseModel):
    """Something that only one seat had known (`of` and `name`, as `goal 2`) and that another was told."""

    model_config = ConfigDict(frozen=True)

    of: str
    name: str
    since: int
    turn: int


def seen(entries: Iterable[Entry], seat: str, at: int) -> list[Entry]:
    """The story that a seat could have read when the log had `at` lines."""
    return [entry for entry in entries if entry.seq <= at and entry.track == "story" and entry.visible(seat)]


def told(entries: Iterable[Entry], seat: str, at: int) -> list[Secret]:
    """What the seat was told until then that only its speaker had known, each with its first time."""
    found: dict[str, Secret] = {}
    for entry in entries:
        if entry.seq > at or entry.kind != "check" or entry.body.get("check") != DISCLOSURE:
            continue
        heard = entry.body.get("heard")
        for key, audience in heard.items() if isinstance(heard, dict) else ():
            of, _, name = key.partition("/")
            knows = audience == "all" or (isinstance(audience, list) and seat in audience)
            if knows and of != seat and key not in found:
                found[key] = Secret(of=of, name=name, since=entry.seq, turn=entry.turn)
    return list(found.values())


def knowers(entry: Entry, seats: Sequence[str]) -> list[Since]:
    """The seats that could know of an entry, in seat order."""
    return [Since(seat=seat, since=entry.seq, turn=entry.turn) for seat in seats if entry.visible(seat)]


def end_of_turn(entries: Iterable[Entry], turn: int) -> int:
    """The last number of the log in a turn or before it; 0 where there is none."""
    return max((entry.seq for entry in entries if entry.turn <= turn), default=0)
