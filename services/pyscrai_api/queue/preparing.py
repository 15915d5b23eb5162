"""Events as they are posted, on their way to the queue: normalised, checked, and put into a lane."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import jsonschema_rs

from pyscrai.contract.events import NewEvent
from pyscrai.contract.problems import FieldError
from pyscrai.domain.canonical import normal
from pyscrai.domain.model_names import UnknownModel, parse
from pyscrai_api.catalog.store import Pin
from pyscrai_api.errors import Invalid, TooLarge
from pyscrai_api.people.pools import check_lane
from pyscrai_api.queue.checking import WITHOUT_SCHEMA
from pyscrai_api.queue.fairness import Stream
from pyscrai_api.queue.lanes import is_lane

PAYLOAD_BYTES = 64 * 1024

_may_name_a_lane = lru_cache(maxsize=1000)(is_lane)

Types = Mapping[tuple[str, str], Pin]
"""Event types of the catalog, by owner and name; those that there are."""


class Kind(NamedTuple):
    """What many events have in common."""

    stream: Stream
    event_type: str
    model: str | None
    max_failures: int


class Draft(NamedTuple):
    """An event that is right in itself, but for what the catalog says. `lane` None: that of its type.

    `asks_as_it_is`: its payload is for a model as it stands, whatever its type says.
    """

    wanted: NewEvent
    at: str
    data: dict[str, Any]
    payload: str
    lane: str | None
    run_at: datetime | None
    asks_as_it_is: bool

    @property
    def needs_type(self) -> bool:
        return self.lane is None or not self.asks_as_it_is


class Prepared(NamedTuple):
    """An event that may be enqueued. `payload`: canonical JSON."""

    kind: Kind
    payload: str
    dedupe_key: str | None
    run_at: datetime | None


def drafts(posted: Sequence[NewEvent], *, many: bool) -> list[Draft]:
    """What can be said without the catalog. Raises Invalid, TooLarge."""
    return [_draft(item, f"/{index}" if many else "") for index, item in enumerate(posted)]


def _draft(item: NewEvent, at: str) -> Draft:
    data, payload = normal(item.data, f"{at}/data")
    size = len(payload) if payload.isascii() else len(payload.encode())
    if size > PAYLOAD_BYTES:
        raise TooLarge(f"the payload has {size} bytes; {PAYLOAD_BYTES} are allowed")
    if item.model is not None:
        _check_model(item.model, at)
    named = (item.engine_type or "").strip()
    if named and not _may_name_a_lane(named):
        raise invalid(f"{at}/engine_type", f"{named[:100]!r} cannot name a lane")
    run_at = None if item.scheduled_for is None else _moment(item.scheduled_for, f"{at}/scheduled_for")
    return Draft(item, at, data, payload, named or None, run_at, any(map(data.__contains__, WITHOUT_SCHEMA)))


def prepared(owner: str, new: Sequence[Draft], types: Types) -> list[Prepared]:
    """Events in their lanes. Raises Invalid where one has none, or its payload is not what its type asks for."""
    kinds: dict[tuple[str, int, str, str | None, int], Kind] = {}
    found = []
    for draft in new:
        item = draft.wanted
        lane = _lane(owner, draft, types) if draft.needs_type else draft.lane
        assert lane is not None
        common = (lane, item.priority, item.event_type, item.model, item.max_failures)
        kind = kinds.get(common)
        if kind is None:
            check_lane(owner, lane, f"{draft.at}/engine_type")
            stream = Stream(owner, lane, 9 - item.priority)
            kind = kinds[common] = Kind(stream, item.event_type, item.model, item.max_failures)
        found.append(Prepared(kind, draft.payload, item.dedupe_key, draft.run_at))
    return found


def _lane(owner: str, draft: Draft, types: Types) -> str:
    """The lane that is named, else that of the catalog's event type, whose payload schema then holds too."""
    name = draft.wanted.event_type
    pin = types.get((owner, name))
    if pin is None:
        if draft.lane is not None:
            return draft.lane
        hint = "name the engine_type that shall handle it, or an event type of the catalog"
        raise invalid(f"{draft.at}/event_type", f"there is no event type {name[:100]!r}", hint)
    lane, validator = _event_type(pin.version_id, pin.canonical)
    if validator is not None and not draft.asks_as_it_is:
        _check_payload(validator, draft.data, f"{draft.at}/data")
    return draft.lane or lane


@lru_cache(maxsize=1000)
def _event_type(_version: UUID, canonical: str) -> tuple[str, Any]:
    """The lane and the compiled payload schema of a version, which never changes."""
    content = json.loads(canonical)
    schema = content.get("payload_schema")
    return str(content["lane"]), jsonschema_rs.validator_for(schema) if schema else None


def _check_payload(validator: Any, data: dict[str, Any], at: str) -> None:
    if validator.is_valid(data):
        return
    errors = [
        FieldError(pointer=at + "".join(f"/{part}" for part in error.instance_path), message=error.message)
        for error in validator.iter_errors(data)
    ]
    raise Invalid("the payload is not what its event type asks for", errors=errors)


def _check_model(name: str, at: str) -> None:
    try:
        parse(name)
    except UnknownModel as error:
        raise invalid(f"{at}/model", str(error)) from None


def _moment(text: str, pointer: str) -> datetime:
    try:
        given = datetime.fromisoformat(text)
        found = None if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise invalid(pointer, f"{text[:60]!r} is not a time with a zone (RFC 3339), such as 2030-01-31T12:00:00Z")
    return found


def invalid(pointer: str, message: str, hint: str | None = None) -> Invalid:
    """One thing that is wrong, and where."""
    return Invalid(message, errors=[FieldError(pointer=pointer, message=message, hint=hint)])
