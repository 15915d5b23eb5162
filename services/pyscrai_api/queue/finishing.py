"""The way of a finish: settle the model calls, check the result, then one transaction per run, in run order.

What belongs to no run takes its own transaction (`loose`). A batch is not all or nothing: an event that cannot be
finished now does not keep the others from it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import jsonschema_rs
import structlog

from pyscrai.contract.events import CallRecord, Finish, Finished, Grant, Reserve
from pyscrai.domain.canonical import canonical, clean_text, normalise
from pyscrai.domain.errors import InvalidValue
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Pool
from pyscrai_api.errors import NotFound, TooLarge, from_exception
from pyscrai_api.money.providers import Providers
from pyscrai_api.queue.engines import BIGGEST_ID, BIGGEST_NUMBER, Held
from pyscrai_api.queue.loose import Loose
from pyscrai_api.queue.ports import ClaimedRow, RunFinisher, Validator
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.together import together

log = structlog.get_logger()

RESULT_BYTES = 256 * 1024
LONGEST_ERROR = 4000
REMEMBERED = 5000
REMEMBERED_PAYLOAD = 4096
LONGEST_WAIT = 24 * 3600.0
SHOWN_FAULTS = 3
WITHOUT_SCHEMA = ("prompt", "data_to_analyze")
"""Payloads of events without a run that carry these are asked as they are, whatever their type is called."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event belongs."""

    run_id: UUID | None
    event_type: str
    phase: str | None
    owner: str
    payload: str | None


class Finishing:
    """Finishes, reservations and hand-backs of one engine, sorted to where their events belong."""

    def __init__(self, pool: Pool, runs: RunFinisher, loose: Loose, providers: Providers) -> None:
        self._pool = pool
        self._runs = runs
        self._loose = loose
        self._providers = providers
        self._known: OrderedDict[int, Place] = OrderedDict()

    def remember(self, rows: Iterable[ClaimedRow]) -> None:
        """Where events belong that are being given out: it never changes, and their finish asks for it soon."""
        for row in rows:
            if len(row.payload) <= REMEMBERED_PAYLOAD:
                self._known[row.id] = Place(row.run_id, row.event_type, row.phase, row.owner, row.payload)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def finish(
        self, engine_id: UUID, items: Sequence[Finish], calls: Sequence[CallRecord] = (), *, refuse_large: bool = False
    ) -> list[Finished]:
        """One answer per item, in order. `calls` are settled first, whatever becomes of the leases.

        Raises TooLarge for a result that is too large where `refuse_large`; else it is `invalid`, a failure.
        """
        calls = [call for call in calls if _in_range(call.event_id, call.lease_no, call.call)]
        await self._providers.heed(self._pool, engine_id, calls)
        once = {item.event_id: item for item in reversed(items) if _in_range(item.event_id, item.lease_no or 0)}
        wanted = {*once, *(call.event_id for call in calls)}
        places = await self._places(wanted, payload=any(item.status == "completed" for item in items))
        for owner, group in _by_owner(calls, places):
            await self._loose.settle(engine_id, owner, group)
        try:
            checked = {i: await self._checked(once[i], places[i], refuse_large) for i in once if i in places}
        except Exception:  # the calls were paid for all the same
            for run_id, of_run in sorted(_by_run(calls, places).items()):
                await self._runs.settle(engine_id, run_id, of_run)
            raise
        answers = await self._sorted(engine_id, list(checked.values()), _by_run(calls, places), places)
        return [_answer(item, checked.get(item.event_id), answers.get(item.event_id)) for item in items]

    async def reserve(self, engine_id: UUID, calls: Sequence[Reserve]) -> list[Grant]:
        """One answer per call, in order."""
        known = [c for c in calls if _in_range(c.event_id, c.lease_no, c.call, c.try_no, c.input_bound, c.max_tokens)]
        places = await self._places({call.event_id for call in known}, payload=False)
        of_runs = sorted(_by_run(known, places).items())
        asked = [partial(self._runs.reserve, engine_id, run_id, of_run) for run_id, of_run in of_runs]
        grants: list[Grant] = []
        for found in await together(asked):
            if isinstance(found, Exception):
                raise found
            grants += found
        for owner, group in _by_owner(known, places):
            grants += await self._loose.reserve(engine_id, owner, group)
        answers = {(grant.event_id, grant.call): grant for grant in grants}
        return [
            answers.get((c.event_id, c.call))
            or Grant(event_id=c.event_id, call=c.call, state="stale", detail="there is no such event")
            for c in calls
        ]

    async def hand_back(self, engine_id: UUID, held: Sequence[Held]) -> None:
        """Give leases back uncounted; those that ended otherwise meanwhile are left alone."""
        items = [Finish(event_id=h.event_id, lease_no=h.lease_no, status="handed_back") for h in held]
        if items:
            await self.finish(engine_id, items)

    async def _places(self, ids: set[int], *, payload: bool) -> dict[int, Place]:
        known = {event_id: self._known[event_id] for event_id in ids if event_id in self._known}
        missing = ids - known.keys()
        if not missing:
            return known
        rows = await self._pool.fetch(sql("loose", "places"), list(missing), payload)
        return known | {
            row["id"]: Place(row["run_id"], row["event_type"], row["phase"], row["owner"], row["payload"])
            for row in rows
        }

    async def _sorted(
        self,
        engine_id: UUID,
        items: Sequence[Finish],
        calls: dict[UUID, list[CallRecord]],
        places: dict[int, Place],
    ) -> dict[int, Finished]:
        """Each run in its transaction. One that fails does not stop the others; its error is raised at the end."""
        groups: dict[UUID | None, list[Finish]] = {run_id: [] for run_id in calls}
        for item in items:
            groups.setdefault(places[item.event_id].run_id, []).append(item)
        in_order = sorted(groups, key=lambda run_id: (run_id is not None, run_id or UUID(int=0)))
        jobs = [partial(self._of_run, engine_id, run_id, groups[run_id], calls) for run_id in in_order]
        answers: dict[int, Finished] = {}
        failure: Exception | None = None
        for run_id, found in zip(in_order, await together(jobs), strict=True):
            if isinstance(found, Exception):
                log.warning("finish_failed", run=str(run_id), error=f"{type(found).__name__}: {found}")
                failure = failure or found
                continue
            answers |= {answer.event_id: answer for answer in found}
        if failure is not None:
            raise failure
        return answers

    async def _of_run(
        self, engine_id: UUID, run_id: UUID | None, items: Sequence[Finish], calls: dict[UUID, list[CallRecord]]
    ) -> list[Finished]:
        if run_id is None:
            return await self._loose.finish(engine_id, items)
        if items:
            return await self._runs.finish(engine_id, run_id, items, calls.get(run_id, ()))
        await self._runs.settle(engine_id, run_id, calls[run_id])
        return []

    async def _checked(self, item: Finish, place: Place, refuse_large: bool) -> Finish:
        """The item as it is committed: cleaned, or a failure where its result is not what the event type asks for."""
        if item.status != "completed":
            return item.model_copy(
                update={
                    "error": clean_text(item.error)[:LONGEST_ERROR] if item.error else None,
                    "code": clean_text(item.code)[:100] if item.code else None,
                    "retry_after": None if item.retry_after is None else min(item.retry_after, LONGEST_WAIT),
                    "result": None,
                }
            )
        try:
            result = normalise(item.result or {})
            size = len(canonical(result).encode())
        except InvalidValue as error:
            return _invalid(item, f"{error.pointer or '/'}: {error}")
        if size > RESULT_BYTES:
            message = f"the result has {size} bytes; {RESULT_BYTES} are allowed"
            if refuse_large:
                raise TooLarge(message)
            return _invalid(item, message)
        try:
            faults = _faults(await self._validator(place), result)
        except Exception as error:
            if from_exception(error).status == 503:
                raise
            log.exception("result_not_checked", event_id=item.event_id)
            return _invalid(item, f"it cannot be checked: {type(error).__name__}: {error}")
        return _invalid(item, faults) if faults else item.model_copy(update={"result": result})

    async def _validator(self, place: Place) -> Validator | None:
        if place.run_id is not None:
            what = place.event_type, str(place.phase), place.payload or "{}"
            return await self._runs.result_schema(place.run_id, *what)
        if any(key in json.loads(place.payload or "{}") for key in WITHOUT_SCHEMA):
            return None
        try:
            async with self._pool.acquire() as conn:
                pin = await catalog.resolve(conn, "event-types", place.event_type, owner=place.owner)
        except NotFound:
            return None
        return _compiled(pin.canonical)


@lru_cache(maxsize=500)
def _compiled(event_type: str) -> Validator | None:
    """The validator of an event type's results, from its canonical text."""
    schema = json.loads(event_type).get("result_schema")
    if not schema:
        return None
    found: Validator = jsonschema_rs.validator_for(schema)
    return found


def _faults(validator: Validator | None, result: Any) -> str:
    """What is wrong with a result, in words; empty where nothing is."""
    if validator is None:
        return ""
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


def _answer(item: Finish, checked: Finish | None, answer: Finished | None) -> Finished:
    if answer is None:
        return Finished(event_id=item.event_id, state="unknown", detail="there is no such event")
    refused = checked is not None and checked.code == "invalid_result" and item.status == "completed"
    if refused and checked is not None and answer.state == "done":
        return Finished(event_id=item.event_id, state="invalid", detail=checked.error or "")
    return answer


def _in_range(event_id: int, *numbers: int) -> bool:
    """Numbers that the database can hold; no other ones were ever given out."""
    return 0 < event_id <= BIGGEST_ID and all(0 <= number <= BIGGEST_NUMBER for number in numbers)


def _by_run(calls: Sequence[Any], places: dict[int, Place]) -> dict[UUID, list[Any]]:
    """Calls of events of runs, by run."""
    groups: dict[UUID, list[Any]] = {}
    for call in calls:
        place = places.get(call.event_id)
        if place is not None and place.run_id is not None:
            groups.setdefault(place.run_id, []).append(call)
    return groups


def _by_owner(calls: Sequence[Any], places: dict[int, Place]) -> list[tuple[str, list[Any]]]:
    """Calls of events without a run, by owner, in the order of owners (the lock order)."""
    groups: dict[str, list[Any]] = {}
    for call in calls:
        place = places.get(call.event_id)
        if place is not None and place.run_id is None:
            groups.setdefault(place.owner, []).append(call)
    return sorted(groups.items())
