"""Dead letters: listing them, and sending them to work again or giving them up, one by one or in bulk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import structlog

from pyscrai.contract.events import Event
from pyscrai.contract.operating import DeadDone, DeadFilter
from pyscrai.contract.problems import FieldError
from pyscrai_api.database import Pool
from pyscrai_api.errors import Conflict, Invalid, from_exception
from pyscrai_api.queue.engines import BIGGEST_ID
from pyscrai_api.queue.events import Events
from pyscrai_api.queue.loose import Loose
from pyscrai_api.queue.ports import DeadOfRun, RunDeadLetters
from pyscrai_api.queue.reading import event
from pyscrai_api.queue.statements import sql

log = structlog.get_logger()

LOOKED_AT = 5000
"""Dead letters that one request looks at, as in the statement."""
How = Literal["redrive", "discard"]


@dataclass(frozen=True, slots=True)
class _Found:
    groups: dict[UUID | None, list[int]]
    next: int | None

    @property
    def matched(self) -> int:
        return sum(map(len, self.groups.values()))


class DeadLetters:
    """Of everybody; `owner` says whose are meant."""

    def __init__(self, pool: Pool, events: Events, loose: Loose, runs: RunDeadLetters) -> None:
        self._pool = pool
        self._events = events
        self._loose = loose
        self._runs = runs

    async def page(self, owner: str | None, wanted: DeadFilter) -> tuple[list[Event], int | None]:
        """Those that match, the oldest first, and after which number the others are. Without an owner
        everybody's: whose they are and with which code they failed, but not what they asked or were told."""
        found = await self._find(owner, wanted)
        ids = sorted(event_id for group in found.groups.values() for event_id in group)
        if owner is not None:
            return await self._events.some(owner, ids), found.next
        rows = await self._pool.fetch(sql("events", "dead"), ids)
        return [event(row).model_copy(update={"owner": row["owner"], "code": row["code"]}) for row in rows], found.next

    async def one(self, owner: str, event_id: int, how: How) -> Event:
        """One dead letter. Raises NotFound, Forbidden; Conflict where it is none."""
        found = await self._events.own(owner, event_id)
        done = await self._of(None if found.run_id is None else UUID(found.run_id), [event_id], how)
        if not done.ids:
            raise Conflict(f"the event is not a dead letter: {found.state}")
        return await self._events.get(owner, event_id)

    async def many(self, owner: str | None, wanted: DeadFilter, how: How) -> DeadDone:
        """Those that match, at most `limit`; each run by itself, and one that fails is passed over."""
        found = await self._find(owner, wanted)
        done: list[int] = []
        resumed: list[str] = []
        for run_id in (
            () if wanted.dry_run else sorted(found.groups, key=lambda run: (run is not None, run or UUID(int=0)))
        ):
            try:
                part = await self._of(run_id, found.groups[run_id], how)
            except Exception as error:  # one run must not keep the others
                if from_exception(error).status == 503:
                    raise
                log.exception(f"{how}_failed", run=str(run_id))
                continue
            done += part.ids
            resumed += [str(run_id)] if part.goes_on else []
        log.info(f"dead_{how}", by=owner, matched=found.matched, done=len(done), resumed=len(resumed))
        ids = {"redriven" if how == "redrive" else "discarded": sorted(done)}
        return DeadDone(matched=found.matched, resumed=resumed, next=found.next, **ids)

    async def _find(self, owner: str | None, wanted: DeadFilter) -> _Found:
        ids = None if wanted.ids is None else [i for i in wanted.ids if 0 < i <= BIGGEST_ID]
        rows = await self._pool.fetch(
            sql("operating", "dead"), owner, wanted.after, ids, _run(wanted.run_id), wanted.lane, wanted.event_type,
            wanted.code, wanted.older_than, wanted.limit,
        )  # fmt: skip
        groups: dict[UUID | None, list[int]] = {}
        matching = [row for row in rows if row["id"] is not None]
        for row in matching:
            groups.setdefault(row["run_id"], []).append(row["id"])
        if len(matching) == wanted.limit:
            return _Found(groups, matching[-1]["id"])
        return _Found(groups, rows[0]["last"] if rows[0]["looked"] == LOOKED_AT else None)

    async def _of(self, run_id: UUID | None, ids: Sequence[int], how: How) -> DeadOfRun:
        if run_id is not None:
            return await (self._runs.redrive if how == "redrive" else self._runs.discard)(run_id, ids)
        loose: Callable[[Sequence[int]], Awaitable[list[int]]]
        loose = self._loose.redrive if how == "redrive" else self._loose.discard
        return DeadOfRun(ids=await loose(ids))


def _run(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        message = f"{text[:60]!r} is not the id of a run" if text else "the id of a run is empty"
        raise Invalid(message, errors=[FieldError(pointer="/run_id", message=message)]) from None
