"""Keys on their way to the engine that holds the lease that needs them, and to no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from pyscrai.contract.events import Claimed
from pyscrai.domain.model_keys import slot_of
from pyscrai.domain.model_names import UnknownModel, parse
from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.people.errors import KeyTrouble
from pyscrai_api.people.keys import Keys, Place
from pyscrai_api.queue.ports import ClaimedRow, PermanentFailure

Details = Sequence[Claimed | PermanentFailure]


async def with_keys(keys: Keys, rows: Sequence[ClaimedRow], details: Details, trusted: str | None) -> Details:
    """The same, each with its owner's own key of its model's provider, where one is kept here.

    `trusted`: who runs the engine; None where it did not show its own token. An engine gets the keys of who runs it,
    the installation's engines those of everybody. An event whose key cannot be opened fails, and says what to do.
    """
    if trusted is None:
        return details
    wanted = {row.id: _place(row, detail, trusted) for row, detail in zip(rows, details, strict=True)}
    found = await keys.some(place for place in wanted.values() if place is not None)
    if not found:
        return details
    handed: list[Claimed | PermanentFailure] = []
    for detail in details:
        place = wanted.get(detail.id) if isinstance(detail, Claimed) else None
        key = found.get(place) if place is not None else None
        if isinstance(detail, PermanentFailure) or key is None:
            handed.append(detail)
        elif isinstance(key, KeyTrouble):
            handed.append(PermanentFailure(event_id=detail.id, code="key", error=str(key)))
        else:
            handed.append(detail.model_copy(update={"key": key}))
    return handed


async def keys_of(
    keys: Keys, wanted: Iterable[tuple[str, str]], trusted: str
) -> Mapping[tuple[str, str], str | KeyTrouble]:
    """The same for events that are not written yet: the keys that owners keep for models, for pairs of both."""
    places = {(owner, model): place for owner, model in wanted if (place := _kept(owner, model, trusted))}
    if not places:
        return {}
    found = await keys.some(places.values())
    return {pair: found[place] for pair, place in places.items() if place in found}


def _place(row: ClaimedRow, detail: Claimed | PermanentFailure, trusted: str) -> Place | None:
    if isinstance(detail, PermanentFailure) or detail.model is None:
        return None
    return _kept(row.owner, detail.model.id, trusted)


def _kept(owner: str, model: str, trusted: str) -> Place | None:
    slot = _slot(model) if trusted in (LOCAL_OWNER, owner) else None
    return None if slot is None else (owner, slot)


@lru_cache(maxsize=4096)
def _slot(model: str) -> str | None:
    try:
        return slot_of(parse(model))
    except UnknownModel:
        return None  # the engine says so, with what it may have meant
