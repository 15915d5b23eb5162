"""What an engine sees of an event without a run: no view and no plan, so it is written as text from what there is.

Versions of event types never change: what a claim shows of one is written once in a process.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from pyscrai.contract.events import ModelChoice, Prompt
from pyscrai.domain.plan import DEFAULT_MAX_TOKENS
from pyscrai.domain.work import EventType
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Pool
from pyscrai_api.errors import NotFound
from pyscrai_api.money.provider_limits import Declared
from pyscrai_api.queue.checking import WITHOUT_SCHEMA
from pyscrai_api.queue.ports import ClaimedRow, moment

REMEMBERED = 500
_ALONE = '{"prompt":'
_PROMPT, _DATA = (f'"{key}"' for key in WITHOUT_SCHEMA)
_NO_RUN = ',"run_id":null,"step":null,"ordinal":null,"seat":null,"turn":null,"phase":null,"lease_no":'
_SEED = "\x00"


class Shown(NamedTuple):
    """What a claim shows of an event type: its canonical document, "" for none, and the members made of it."""

    canonical: str
    members: str


NO_TYPE = Shown("", '"prompt":null,"result_schema":null')


class Plain:
    """Writes events without a run. `default_model` answers those that name none."""

    def __init__(self, pool: Pool, default_model: str, providers: Declared) -> None:
        self._pool = pool
        self._default_model = default_model
        self._providers = providers
        self._types: OrderedDict[UUID, Shown] = OrderedDict()
        self._models: OrderedDict[str | None, tuple[str, str]] = OrderedDict()
        self._lease = 0.0, 0.0, ""

    def model_of(self, row: ClaimedRow) -> str:
        """The model that answers an event."""
        return row.model or self._default_model

    def known(self, row: ClaimedRow) -> Shown | None:
        """What is shown of the event's type; None where `shown` must look for it."""
        if stands_alone(row.payload):
            return NO_TYPE
        if _named_otherwise(row.event_type):
            return None
        return NO_TYPE if row.version_id is None else self._types.get(row.version_id)

    async def shown(self, row: ClaimedRow) -> Shown:
        """The same. Its version was found by the claim, or is looked for now."""
        known = self.known(row)
        if known is not None:
            return known
        if row.version_id is None or _named_otherwise(row.event_type):
            return await self._resolved(row)
        async with self._pool.acquire() as conn:
            return self._keep(await catalog.by_version(conn, row.version_id))

    def text(self, row: ClaimedRow, shown: Shown, lease_for: float, key: str | None = None) -> str:
        """One event as JSON, as `contract.events.Claimed` has it."""
        head, tail = self._models.get(row.model) or self._model(row.model)
        number, until = row.id, row.lease_until
        if self._lease[0] != until or self._lease[1] != lease_for:  # the leases of one claim all end at one moment
            self._lease = until, lease_for, f'"lease_until":"{moment(until)}","lease_for":{lease_for:.3f}'
        return (
            f'{{"id":{number},{_kind(row.event_type, row.priority)}{row.payload}{_NO_RUN}{row.lease_no},'
            f'{self._lease[2]},"attempt":{row.attempt},"try":{row.failures + 1},"view":null,{shown.members},'
            f'"model":{head}{number}{tail},"key":{"null" if key is None else json.dumps(key)}}}'
        )

    async def _resolved(self, row: ClaimedRow) -> Shown:
        async with self._pool.acquire() as conn:
            try:
                pin = await catalog.resolve(conn, "event-types", row.event_type, owner=row.owner)
            except NotFound:
                return NO_TYPE
        return self._types.get(pin.version_id) or self._keep(pin)

    def _keep(self, pin: catalog.Pin) -> Shown:
        found = self._types[pin.version_id] = Shown(pin.canonical, _members(pin.canonical))
        if len(self._types) > REMEMBERED:
            self._types.popitem(last=False)
        return found

    def _model(self, named: str | None) -> tuple[str, str]:
        """The model's choice, as it stands before and behind the seed, which is the event's number."""
        name = named or self._default_model
        timeout = self._providers.timeout_of(name)
        choice = ModelChoice(id=name, max_tokens=DEFAULT_MAX_TOKENS, timeout=timeout).model_dump()
        text = json.dumps({**choice, "seed": _SEED}, separators=(",", ":"))
        head, _, tail = text.partition(json.dumps(_SEED))
        self._models[named] = head, tail
        if len(self._models) > REMEMBERED:
            self._models.popitem(last=False)
        return head, tail


def stands_alone(payload: str) -> bool:
    """Whether a payload (canonical JSON) is asked as it is, so that its event type says nothing."""
    if payload.startswith(_ALONE):
        return True
    if _PROMPT not in payload and _DATA not in payload:
        return False
    data = json.loads(payload)
    return any(key in data for key in WITHOUT_SCHEMA)


@lru_cache(maxsize=REMEMBERED)
def _named_otherwise(event_type: str) -> bool:
    """Whether a name may mean a version or an id, which the claim itself does not look for."""
    return catalog.split_version(event_type)[1] is not None or catalog.as_id(event_type) is not None


def _members(canonical: str) -> str:
    kind = EventType.model_validate_json(canonical)
    prompt = Prompt(renderer=kind.renderer, system=kind.system, user=kind.prompt).model_dump_json()
    return f'"prompt":{prompt},"result_schema":{json.dumps(dict(kind.result_schema) or None, separators=(",", ":"))}'


@lru_cache(maxsize=REMEMBERED)
def _kind(event_type: str, priority: int) -> str:
    return f'"event_type":{json.dumps(event_type)},"status":"processing","priority":{priority},"data":'
