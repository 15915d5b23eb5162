"""Posting events without a run. Requests without an Idempotency-Key that come together go into one statement."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pyscrai.contract.events import NewEvent
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Connection
from pyscrai_api.errors import ApiError, TooLarge, Unavailable, from_exception
from pyscrai_api.idempotency import Answer, Key, once
from pyscrai_api.lines import Lines
from pyscrai_api.queue.entrance import MOST_WAITING, Entrance
from pyscrai_api.queue.fairness import Fairness
from pyscrai_api.queue.filling import Bringing
from pyscrai_api.queue.inserting import Answers, Made, insert
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.preparing import Draft, Prepared, drafts, prepared
from pyscrai_api.queue.reading import event_texts
from pyscrai_api.queue.store import Woken, first_of_lanes

MOST_POSTED = 1000
LATE, AT_ONCE = 0.1, 4
"""Seconds after which those who wait do not wait any longer for a statement under way; and how many there may be."""
MOST_CHARACTERS = 4 * 1024 * 1024
"""Of payloads in a statement with those of others, so that one who posts much holds nobody up; one request may have
more."""
FEW = 100
"""So many events of a request may go into a statement with those of others."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A request that waits for the next statement. `characters`: of its payloads."""

    owner: str
    drafts: list[Draft]
    many: bool
    answer: asyncio.Future[Answer]
    characters: int


class Posting:
    """Of one process."""

    def __init__(self, bell: Bell, entrance: Entrance, fairness: Fairness, line: Lines) -> None:
        self._bell = bell
        self._line = line
        self._entrance = entrance
        self._fairness = fairness
        self._waiting: deque[_Waiting] = deque()
        self._going: set[asyncio.Task[None]] = set()
        self._late = 0
        self._loop = asyncio.get_running_loop()

    async def post(self, owner: str, posted: Sequence[NewEvent], key: Key | None, *, many: bool) -> Answer:
        """Enqueue events. 201 with the events; one whose dedupe_key is taken is answered with what is there (200).

        Raises Invalid; TooLarge also where they are more than their lane ever takes; QueueFull where it has no room.
        """
        if len(posted) > MOST_POSTED:
            raise TooLarge(f"{len(posted)} events; {MOST_POSTED} may be posted at once")
        new = drafts(posted, many=many)
        if key is not None:
            return await self._once(owner, new, key, many)
        if len(new) <= FEW and not any(item.dedupe_key is not None for item in posted):
            characters = sum([len(draft.payload) for draft in new])
            return await self._together(_Waiting(owner, new, many, self._loop.create_future(), characters))
        with self._entrance.bringing() as brought:
            async with self._entrance.connection() as conn:
                items, made, ready = await self._one(conn, owner, new, brought)
                self._ring(ready)
                return await _answer(conn, owner, items, made, many)

    async def close(self) -> None:
        """Wait for what has been taken on."""
        while self._going:
            await asyncio.gather(*self._going, return_exceptions=True)

    async def _once(self, owner: str, new: list[Draft], key: Key, many: bool) -> Answer:
        woken: list[Woken] = []

        async def work() -> Answer:
            items, made, ready = await self._one(conn, owner, new, brought)
            woken.extend(ready)
            return await _answer(conn, owner, items, made, many)

        with self._entrance.bringing() as brought:
            async with self._entrance.connection() as conn, conn.transaction():
                answer = await once(conn, key, work)
        self._ring(woken)
        return answer

    # ── together ──

    async def _together(self, request: _Waiting) -> Answer:
        """In the next statement, with what else has come when the one that is under way is done."""
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable("very many requests wait here to bring work; try again")
        self._waiting.append(request)
        self._go()
        return await request.answer

    def _go(self) -> None:
        """Serve who waits, unless somebody is at it and not late: one connection that hangs stops nobody else."""
        if self._waiting and len(self._going) <= self._late and len(self._going) < AT_ONCE:
            self._going.add(asyncio.create_task(self._serve_until_none_waits(), name="posting"))

    async def _serve_until_none_waits(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await self._serve()
        finally:
            # In the very step in which nobody waits any more, so that whoever comes next finds nobody at it.
            self._going.discard(task)

    async def _serve(self) -> None:
        while self._waiting:
            requests = self._next()
            with self._watched():
                await self._serve_all(requests)

    def _next(self) -> list[_Waiting]:
        """Who waits for the next statement and fits into it; the first always does."""
        requests: list[_Waiting] = []
        events = characters = 0
        while self._waiting:
            first = self._waiting[0]
            events, characters = events + len(first.drafts), characters + first.characters
            if requests and (events > MOST_POSTED or characters > MOST_CHARACTERS):
                break
            self._waiting.popleft()
            if first.answer.done():  # whoever asked has gone
                events, characters = events - len(first.drafts), characters - first.characters
            else:
                requests.append(first)
        return requests

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Another statement may begin while this one is late."""
        late = False

        def be_late() -> None:
            nonlocal late
            late = True
            self._late += 1
            self._go()

        timer = asyncio.get_running_loop().call_later(LATE, be_late)
        try:
            yield
        finally:
            timer.cancel()
            self._late -= late

    async def _serve_all(self, requests: list[_Waiting]) -> None:
        """Answer each; where together it does not go, each by itself, so that none suffers from another."""
        try:
            with self._entrance.bringing() as brought:
                if not await self._quickly(requests, brought):
                    # Who was refused there is not asked again: the catalog may say something else by now.
                    left = [request for request in requests if not request.answer.done()]
                    async with self._entrance.connection() as conn:
                        await self._post(conn, left, brought)
        except Exception as error:
            if len(requests) > 1 and from_exception(error).status != 503:
                for request in requests:
                    await self._serve_all([request])
                return
            for request in requests:
                _refuse(request, error)

    async def _post(self, conn: Connection, requests: list[_Waiting], brought: Bringing) -> None:
        found = await self._prepare(conn, [(request.owner, request.drafts) for request in requests])
        able: list[tuple[_Waiting, list[Prepared]]] = []
        for request, items in zip(requests, found, strict=True):
            try:
                if isinstance(items, Exception):
                    raise items
                await brought.admit(conn, _lanes(items))
            except ApiError as error:
                _refuse(request, error)
            else:
                able.append((request, items))
        if able:
            await self._enqueue(conn, able)

    async def _quickly(self, requests: list[_Waiting], brought: Bringing) -> bool:
        """On a line, where one statement is all there is to do, and one look into the catalog at most: nothing is to be
        counted, and all events are of one kind. False where that is not so."""
        drafted = {_common(draft) for request in requests for draft in request.drafts}
        if len(drafted) > 1:
            return False
        able: list[tuple[_Waiting, list[Prepared]]] = []
        found = await self._prepare(self._line, [(request.owner, request.drafts) for request in requests])
        for request, own in zip(requests, found, strict=True):
            if isinstance(own, ApiError):
                _refuse(request, own)
            else:
                able.append((request, own))
        items = [item for _, own in able for item in own]
        if not items:
            return True
        first = items[0].kind
        same = all(item.kind is first or item.kind == first for item in items)
        if not same or not brought.admits({first.stream.lane: len(items)}):
            return False
        await self._enqueue(self._line, able)
        return True

    async def _enqueue(self, conn: Connection | Lines, able: list[tuple[_Waiting, list[Prepared]]]) -> None:
        made, ready = await insert(conn, [item for _, items in able for item in items], self._fairness)
        self._ring(ready)
        answers, rest = Answers(), iter(made)
        for request, items in able:
            texts = [answers.json(item, next(rest)) for item in items]
            if not request.answer.done():
                request.answer.set_result(_answer_of(texts, request.many, fresh=True))

    # ── what both share ──

    async def _prepare(
        self, conn: Connection | Lines, requests: Sequence[tuple[str, list[Draft]]]
    ) -> list[list[Prepared] | ApiError]:
        """The events of each request in their lanes, or what is wrong with it; one look into the catalog for all."""
        names = dict.fromkeys(
            (owner, draft.wanted.event_type) for owner, new in requests for draft in new if draft.needs_type
        )
        types = await catalog.event_types(conn, list(names))
        found: list[list[Prepared] | ApiError] = []
        for owner, new in requests:
            try:
                found.append(prepared(owner, new, types))
            except ApiError as error:
                found.append(error)
        return found

    async def _one(
        self, conn: Connection, owner: str, new: list[Draft], brought: Bringing
    ) -> tuple[list[Prepared], list[Made], list[Woken]]:
        (items,) = await self._prepare(conn, [(owner, new)])
        if isinstance(items, ApiError):
            raise items
        await brought.admit(conn, _lanes(items))
        return items, *await insert(conn, items, self._fairness)

    def _ring(self, ready: Sequence[Woken]) -> None:
        for lane, place in first_of_lanes(ready).items():
            self._bell.ring_lane(lane, place)


def _common(draft: Draft) -> tuple[str | None, int, str]:
    """What events of one kind have in common, as far as it is known before the catalog was asked."""
    return draft.lane, draft.wanted.priority, draft.wanted.event_type


def _lanes(items: Sequence[Prepared]) -> Mapping[str, int]:
    return Counter(item.kind.stream.lane for item in items)


def _refuse(request: _Waiting, error: Exception) -> None:
    if not request.answer.done():
        request.answer.set_exception(error)
        request.answer.exception()  # seen, also where whoever asked has gone


async def _answer(conn: Connection, owner: str, items: Sequence[Prepared], made: Sequence[Made], many: bool) -> Answer:
    """What is new is written from what is known of it, what was there already is read."""
    old = await event_texts(conn, owner, [one.id for one in made if not one.fresh])
    answers = Answers()
    texts = [answers.json(item, one) if one.fresh else old[one.id] for item, one in zip(items, made, strict=True)]
    return _answer_of(texts, many, fresh=any(one.fresh for one in made))


def _answer_of(texts: Sequence[str], many: bool, *, fresh: bool) -> Answer:
    return Answer(status=201 if fresh or many else 200, body=f"[{','.join(texts)}]" if many else texts[0])
