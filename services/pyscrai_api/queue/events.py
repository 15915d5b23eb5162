"""Events as people and programs read and correct them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pyscrai.contract.events import Event
from pyscrai_api.database import Pool
from pyscrai_api.errors import Conflict, Forbidden, NotFound
from pyscrai_api.queue.engines import BIGGEST_ID
from pyscrai_api.queue.loose import Loose
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.preparing import invalid
from pyscrai_api.queue.reading import event
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.states import Live
from pyscrai_api.queue.store import Place
from pyscrai_api.vocabulary import STATUS_OF_FINAL, STATUS_OF_LIVE

LOOKED_AT = 5000
"""Events of which one request finds out the lane, as in the statement."""


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
    """Listing, cancelling, and having scheduled ones at once."""

    def __init__(self, pool: Pool, bell: Bell, loose: Loose) -> None:
        self._pool = pool
        self._bell = bell
        self._loose = loose

    async def page(self, owner: str, wanted: Wanted) -> tuple[list[Event], int | None]:
        """A page, the newest first, and below which number the others are. Of a lane it may have less than `limit`,
        also none, and others all the same. Raises Invalid for a status that there is not.
        """
        which = (owner, wanted.before, wanted.run_id, wanted.event_type, *_states(wanted.status))
        if wanted.lane is None:
            rows = await self._pool.fetch(sql("events", "page"), *which, wanted.limit)
            return [event(row) for row in rows], rows[-1]["id"] if len(rows) == wanted.limit else None
        found = await self._pool.fetch(sql("events", "in_lane"), *which, wanted.lane, wanted.limit)
        ids = [row["id"] for row in found if row["id"] is not None]
        if len(ids) == wanted.limit:
            following = ids[-1]
        else:
            following = found[0]["last"] if found[0]["looked"] == LOOKED_AT else None
        return (await self.some(owner, ids))[::-1], following

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
        cancelled = bool(await self._loose.cancel([event_id]))
        now = await self.get(owner, event_id)
        # Looked at only now: the same request may have come twice, and the other one was first.
        if not cancelled and now.state != "cancelled":
            raise Conflict(f"the event is over: {now.state}")
        return now

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


def _states(status: str | None) -> tuple[list[int] | None, list[int] | None, bool | None]:
    """The (live, final) states that a word means, and whether only retries or only first tries are meant."""
    if status is None:
        return None, None, None
    live: list[int] = [state for state, word in STATUS_OF_LIVE.items() if status in (word, state.name.lower())]
    final: list[int] = [state for state, word in STATUS_OF_FINAL.items() if status in (word, state.name.lower())]
    if status == "retry":
        live = [Live.SCHEDULED]
    if not live and not final:
        raise invalid("/status", f"there is no status {status[:60]!r}")
    return live, final, {"retry": True, "queued": False}.get(status)
