"""Whether results are what their event types ask for, before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import jsonschema_rs
import structlog

from pyscrai.contract.events import Finish
from pyscrai.domain.canonical import clean_text, normal
from pyscrai.domain.errors import InvalidValue
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Pool
from pyscrai_api.errors import NotFound, TooLarge, from_exception
from pyscrai_api.queue.ports import RunFinisher, Validator

log = structlog.get_logger()

RESULT_BYTES = 256 * 1024
LONGEST_ERROR = 4000
LONGEST_CODE = 100
LONGEST_WAIT = 24 * 3600.0
SHOWN_FAULTS = 3
WITHOUT_SCHEMA = ("prompt", "data_to_analyze")
"""Payloads of events without a run that carry these are asked as they are, whatever their type is called."""


class Place(NamedTuple):
    """Where an event belongs. `pinned`: of one without a run, the canonical text of the event type that it was handed
    out with under `lease_no`, "" for none; None where that is not known here."""

    run_id: UUID | None
    event_type: str
    phase: str | None
    owner: str
    payload: str | None
    pinned: str | None = None
    lease_no: int = 0


@dataclass(slots=True)
class Checked:
    """A batch as it is committed. `texts`: the results in canonical JSON; `refused`: what was wrong with a result, by
    event, which is a failure now."""

    items: dict[int, Finish] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)


class Checking:
    """Checks batches of finishes for this process."""

    def __init__(self, pool: Pool, runs: RunFinisher) -> None:
        self._pool = pool
        self._runs = runs

    async def check(self, items: Mapping[int, Finish], places: Mapping[int, Place], *, refuse_large: bool) -> Checked:
        """Those of `items` that have a place: cleaned, or a failure where the result is not what was asked for.

        Raises TooLarge for a result that is too large where `refuse_large`; else it is a failure.
        """
        checked = Checked()
        of_types: dict[tuple[str, str], str] = {}
        for event_id, item in items.items():
            place = places.get(event_id)
            if place is None:
                continue
            if item.status != "completed":
                checked.items[event_id] = _cleaned(item)
                continue
            try:
                result, text = normal({} if item.result is None else item.result)
                if len(text) > RESULT_BYTES / 4:
                    _bounded(text)
                if place.pinned is None:
                    validator = await self._validator(place, of_types)
                else:
                    validator = _compiled(place.pinned)
                faults = _faults(validator, result) if validator is not None else ""
            except TooLarge as error:
                if refuse_large:
                    raise
                faults = str(error)
            except InvalidValue as error:
                faults = f"{error.pointer or '/'}: {error}"
            except Exception as error:
                if from_exception(error).status == 503:
                    raise
                log.exception("result_not_checked", event_id=event_id)
                faults = f"it cannot be checked: {type(error).__name__}: {error}"
            if faults:
                checked.items[event_id] = refused = _invalid(item, faults)
                checked.refused[event_id] = refused.error or ""
            else:
                checked.items[event_id] = item if result is item.result else item.model_copy(update={"result": result})
                checked.texts[event_id] = text
        return checked

    async def _validator(self, place: Place, of_types: dict[tuple[str, str], str]) -> Validator | None:
        if place.run_id is not None:
            what = place.event_type, str(place.phase), place.payload or "{}"
            return await self._runs.result_schema(place.run_id, *what)
        if any(key in json.loads(place.payload or "{}") for key in WITHOUT_SCHEMA):
            return None
        wanted = place.event_type, place.owner
        if wanted not in of_types:
            of_types[wanted] = await self._event_type(*wanted)
        return _compiled(of_types[wanted])

    async def _event_type(self, name: str, owner: str) -> str:
        """The canonical text of an event type as it is now; "" where there is none."""
        try:
            async with self._pool.acquire() as conn:
                return (await catalog.resolve(conn, "event-types", name, owner=owner)).canonical
        except NotFound:
            return ""


def _cleaned(item: Finish) -> Finish:
    """A failure or a hand-back, as the database can keep it."""
    return item.model_copy(
        update={
            "error": clean_text(item.error)[:LONGEST_ERROR] if item.error else None,
            "code": clean_text(item.code)[:LONGEST_CODE] if item.code else None,
            "retry_after": None if item.retry_after is None else min(item.retry_after, LONGEST_WAIT),
            "result": None,
        }
    )


def _bounded(text: str) -> None:
    """Raises TooLarge."""
    size = len(text.encode())
    if size > RESULT_BYTES:
        raise TooLarge(f"the result has {size} bytes; {RESULT_BYTES} are allowed")


@lru_cache(maxsize=500)
def _compiled(event_type: str) -> Validator | None:
    """The validator of an event type's results, from its canonical text."""
    schema = json.loads(event_type).get("result_schema") if event_type else None
    if not schema:
        return None
    found: Validator = jsonschema_rs.validator_for(schema)
    return found


def _faults(validator: Validator, result: Any) -> str:
    """What is wrong with a result, in words; empty where nothing is."""
    found = []
    for error in validator.iter_errors(result):
        pointer = "".join(f"/{part}" for part in error.instance_path)
        found.append(f"{pointer or '/'}: {error.message}")
        if len(found) == SHOWN_FAULTS:
            break
    return clean_text("; ".join(found))[:LONGEST_ERROR]


def _invalid(item: Finish, detail: str) -> Finish:
    return Finish(
        event_id=item.event_id,
        lease_no=item.lease_no,
        status="failed",
        error=f"the result is not valid: {detail}",
        code="invalid_result",
    )
