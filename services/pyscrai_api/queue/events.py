"""Events as people and programs post, read and correct them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jsonschema_rs

from pyscrai.contract.events import Event, NewEvent
from pyscrai.contract.problems import FieldError
from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.model_names import UnknownModel, parse
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from pyscrai_api.idempotency import Answer, Key, once
from pyscrai_api.people.pools import check_lane
from pyscrai_api.queue.engines import BIGGEST_ID
from pyscrai_api.queue.finishing import WITHOUT_SCHEMA
from pyscrai_api.queue.lanes import is_lane
from pyscrai_api.queue.loose import Loose
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.states import Live
from pyscrai_api.queue.store import Place, Woken, first_of_lanes
from pyscrai_api.vocabulary import STATUS_OF_FINAL, STATUS_OF_LIVE, event_status

PAYLOAD_BYTES = 64 * 1024
MOST_POSTED = 1000


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event that may be enqueued. `payload`: canonical JSON."""

    event_type: str
    lane: str
    priority: int
    payload: str
    model: str | None
    dedupe_key: str | None
    run_at: datetime | None
    max_failures: int


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which events to list; None where it does not matter. `before`: ids below this one."""

    before: int | None = None
    run_id: UUID | None = None
    event_type: str | None = None
    lane: str | None = None
    status: str | None = None
    limit: int = 100


class Events:
    """Posting, listing, cancelling, and having scheduled ones at once."""

    def __init__(self, pool: Pool, bell: Bell, loose: Loose) -> None:
        self._pool = pool
        self._bell = bell
        self._loose = loose

    async def post(self, owner: str, posted: Sequence[NewEvent], key: Key | None, *, many: bool) -> Answer:
        """Enqueue events. 201 with the events; one whose dedupe_key is taken is answered with what is there (200)."""
        if len(posted) > MOST_POSTED:
            raise TooLarge(f"{len(posted)} events; {MOST_POSTED} may be posted at once")
        made: list[Woken] = []

        async def work() -> Answer:
            prepared = [await self._prepare(conn, owner, item, i if many else None) for i, item in enumerate(posted)]
            ids, woken = await _insert(conn, owner, prepared)
            made.extend(woken)
            rows = {row["id"]: event(row) for row in await conn.fetch(sql("events", "some"), owner, ids)}
            texts = [rows[event_id].model_dump_json() for event_id in ids]
            fresh = any(row.event_id in ids for row in woken) or len(woken) == len(posted)
            return Answer(status=201 if fresh or many else 200, body=f"[{','.join(texts)}]" if many else texts[0])

        async with self._pool.acquire() as conn, conn.transaction():
            answer = await once(conn, key, work)
        for lane, place in first_of_lanes(made).items():
            self._bell.ring_lane(lane, place)
        return answer

    async def _prepare(self, conn: Connection, owner: str, item: NewEvent, index: int | None) -> Prepared:
        at = "" if index is None else f"/{index}"
        data = normalise(item.data, f"{at}/data")
        payload = canonical(data)
        if len(payload.encode()) > PAYLOAD_BYTES:
            raise TooLarge(f"the payload has {len(payload.encode())} bytes; {PAYLOAD_BYTES} are allowed")
        if item.model is not None:
            try:
                parse(item.model)
            except UnknownModel as error:
                raise _invalid(f"{at}/model", str(error)) from None
        lane = await _lane(conn, owner, item, data, at)
        check_lane(owner, lane, f"{at}/engine_type")
        return Prepared(
            event_type=item.event_type,
            lane=lane,
            priority=item.priority,
            payload=payload,
            model=item.model,
            dedupe_key=item.dedupe_key,
            run_at=_moment(item.scheduled_for, f"{at}/scheduled_for"),
            max_failures=item.max_failures,
        )

    async def page(self, owner: str, wanted: Wanted) -> list[Event]:
        """A page, the newest first. Raises Invalid for a status that there is not."""
        live, final, retry = _states(wanted.status)
        rows = await self._pool.fetch(
            sql("events", "page"), owner, wanted.before, wanted.run_id, wanted.event_type, live, final, retry,
            wanted.lane, wanted.limit,
        )  # fmt: skip
        return [event(row) for row in rows]

    async def get(self, owner: str, event_id: int) -> Event:
        """One event. Raises NotFound."""
        found = await self.some(owner, [event_id])
        if not found:
            raise NotFound(f"there is no event {event_id}")
        return found[0]

    async def cancel(self, owner: str, event_id: int) -> Event:
        """An event without a run ends. Raises NotFound; Conflict where it is over, or belongs to a run."""
        found = await self.own(owner, event_id)
        if found.run_id is not None:
            raise Conflict(f"the event belongs to run {found.run_id}: cancel the run, or discard the event when dead")
        if not await self._loose.cancel([event_id]) and found.state != "cancelled":
            raise Conflict(f"the event is over: {(await self.get(owner, event_id)).state}")
        return await self.get(owner, event_id)

    async def promote(self, owner: str, event_id: int) -> Event:
        """A scheduled event is ready now, before its time. Raises NotFound; Conflict where it is not scheduled."""
        found = await self.own(owner, event_id)
        row = await self._pool.fetchrow(sql("operating", "promote"), event_id)
        if row is None:
            raise Conflict(f"the event is not scheduled: {(await self.get(owner, event_id)).state}")
        self._bell.ring_lane(found.lane, Place(row["rank"], row["pass"], row["id"]))
        return await self.get(owner, event_id)

    async def own(self, owner: str, event_id: int) -> Event:
        """An event that its owner may change. Raises NotFound, Forbidden."""
        found = await self.get(owner, event_id)
        if await self._pool.fetchval(sql("events", "owner"), event_id) != owner:
            raise Forbidden("this event belongs to somebody else; you may read it")
        return found

    async def some(self, owner: str, ids: Sequence[int]) -> list[Event]:
        """Those of these events that this owner may see, by id."""
        known = [event_id for event_id in ids if 0 < event_id <= BIGGEST_ID]
        return [event(row) for row in await self._pool.fetch(sql("events", "some"), owner, known)]


async def _insert(conn: Connection, owner: str, items: Sequence[Prepared]) -> tuple[list[int], list[Woken]]:
    """The ids in order, those that were there already among them, and what is ready now."""
    rows = await conn.fetch(
        sql("enqueue", "loose"), owner, [i.event_type for i in items], [i.lane for i in items],
        [i.priority for i in items], [i.payload for i in items], [i.model for i in items],
        [i.dedupe_key for i in items], [i.run_at for i in items], [i.max_failures for i in items],
    )  # fmt: skip
    made = {row["place"] - 1: row["id"] for row in rows}
    keys = [item.dedupe_key for i, item in enumerate(items) if i not in made]
    known = {row["dedupe_key"]: row["id"] for row in await conn.fetch(sql("enqueue", "deduped"), owner, keys)}
    ids = [made[i] if i in made else known[item.dedupe_key] for i, item in enumerate(items)]
    ready = [Woken(r["id"], r["lane"], Place(r["rank"], r["pass"], r["id"])) for r in rows if r["state"] == Live.READY]
    return ids, ready


async def _lane(conn: Connection, owner: str, item: NewEvent, data: dict[str, Any], at: str) -> str:
    """The lane that is named, else that of the catalog's event type, whose payload schema then holds too."""
    named = (item.engine_type or "").strip()
    if named and not is_lane(named):
        raise _invalid(f"{at}/engine_type", f"{named[:100]!r} cannot name a lane")
    if named and any(key in data for key in WITHOUT_SCHEMA):
        return named
    try:
        pin = await catalog.resolve(conn, "event-types", item.event_type, owner=owner)
    except NotFound:
        if named:
            return named
        hint = "name the engine_type that shall handle it, or an event type of the catalog"
        raise _invalid(f"{at}/event_type", f"there is no event type {item.event_type[:100]!r}", hint) from None
    content = json.loads(pin.canonical)
    if not any(key in data for key in WITHOUT_SCHEMA):
        _check_payload(content.get("payload_schema"), data, f"{at}/data")
    return named or str(content["lane"])


def _check_payload(schema: dict[str, Any] | None, data: dict[str, Any], at: str) -> None:
    if not schema:
        return
    errors = [
        FieldError(pointer=at + "".join(f"/{part}" for part in error.instance_path), message=error.message)
        for error in jsonschema_rs.validator_for(schema).iter_errors(data)
    ]
    if errors:
        raise Invalid("the payload is not what its event type asks for", errors=errors)


def _moment(text: str | None, pointer: str) -> datetime | None:
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
        found = None if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise _invalid(pointer, f"{text[:60]!r} is not a time with a zone (RFC 3339), such as 2030-01-31T12:00:00Z")
    return found


def _states(status: str | None) -> tuple[list[int] | None, list[int] | None, bool | None]:
    """The (live, final) states that a word means, and whether only retries or only first tries are meant."""
    if status is None:
        return None, None, None
    live: list[int] = [state for state, word in STATUS_OF_LIVE.items() if status in (word, state.name.lower())]
    final: list[int] = [state for state, word in STATUS_OF_FINAL.items() if status in (word, state.name.lower())]
    if status == "retry":
        live = [Live.SCHEDULED]
    if not live and not final:
        raise _invalid("/status", f"there is no status {status[:60]!r}")
    return live, final, {"retry": True, "queued": False}.get(status)


def event(row: Any) -> Event:
    """An event as the API shows it."""
    status, state = event_status(row["live"], row["final"], row["failures"])
    return Event(
        id=row["id"],
        event_type=row["event_type"],
        lane=row["lane"],
        status=status,
        state=state,
        priority=row["priority"],
        data=json.loads(row["payload"]),
        run_id=None if row["run_id"] is None else str(row["run_id"]),
        step=row["step"],
        ordinal=row["ordinal"],
        seat=row["seat"],
        turn=row["turn"],
        phase=row["phase"],
        lease_no=row["lease_no"],
        attempt=row["attempt"],
        failures=row["failures"],
        losses=row["losses"],
        handbacks=row["handbacks"],
        result=None if row["result"] is None else json.loads(row["result"]),
        error=row["error"],
        engine_id=None if row["engine_id"] is None else str(row["engine_id"]),
        created_at=row["created_at"].isoformat(),
        scheduled_for=None if row["run_at"] is None else row["run_at"].isoformat(),
        finished_at=None if row["finished_at"] is None else row["finished_at"].isoformat(),
    )


def _invalid(pointer: str, message: str, hint: str | None = None) -> Invalid:
    return Invalid(message, errors=[FieldError(pointer=pointer, message=message, hint=hint)])
