"""The claims of one API process: which claimer serves them, who joins whom, and what goes back.

Whoever repeats a claim that is still parked joins it; a poll that everybody has left gets nothing, and what was claimed
for it meanwhile goes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog

from pyscrai_api.queue.claimer import Claimer, Fetching, Key, Poll
from pyscrai_api.queue.ports import ClaimedRow, Exclusions
from pyscrai_api.queue.store import Place

log = structlog.get_logger()

MANY_LANES = 64

GiveBack = Callable[[UUID, list[ClaimedRow]], Awaitable[None]]
"""Called with an engine and what was claimed for it that nobody waits for any more."""


class Claimers:
    """The claimers of this process. `pauses`: what operators have stopped."""

    def __init__(self, lines: Fetching, give_back: GiveBack, pauses: Exclusions | None = None) -> None:
        self._lines = lines
        self._give_back = give_back
        self._pauses = pauses
        self._claimers: dict[Key, Claimer] = {}
        self._polls: dict[tuple[UUID, UUID], tuple[Poll, Claimer]] = {}
        self._going_back: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def parked(self) -> int:
        """How many polls wait, or are being answered."""
        return len(self._polls)

    @property
    def waiting(self) -> int:
        """How many requests do; one that repeats a parked claim joins it."""
        return sum(poll.waiters for poll, _ in self._polls.values())

    def ring(self, lane: str, place: Place | None) -> None:
        """Wake the claimers of a lane (a listener of the bell)."""
        for claimer in self._claimers.values():
            if claimer.lane == lane:
                claimer.ring(place)

    def let_go(self, engine_id: UUID) -> None:
        """Answer the polls of an engine with what they have: it gets nothing more."""
        for poll, claimer in tuple(self._polls.values()):
            if poll.engine_id == engine_id:
                claimer.let_go(poll)

    def stop(self) -> None:
        """Answer every poll now, and from now on at once."""
        self._stopped = True
        for claimer in self._claimers.values():
            claimer.release()

    async def close(self) -> None:
        """Wait for what is on its way back. Call after `stop`, when no request is served any more."""
        while self._going_back:
            await asyncio.gather(*self._going_back)

    def claim(
        self, key: Key, *, engine_id: UUID, claim_id: UUID, most: int, lease_seconds: float, wait: float,
        gone: asyncio.Future[None],
    ) -> Waiting:  # fmt: skip
        """A poll whose `rows` are up to `most` events leased under the claim; none after `wait` seconds or when `gone`
        is done. Set `delivered` when the answer is being written: what nobody got goes back at the end of the block.
        """
        name = engine_id, claim_id
        parked = self._polls.get(name)
        if parked is None:
            parked = self._polls[name] = self._park(
                key, engine_id, claim_id, most, lease_seconds, 0.0 if self._stopped else wait
            )
        else:
            parked[0].waiters += 1
        return Waiting(self, *parked, gone)

    def leave(self, poll: Poll, claimer: Claimer) -> None:
        """One request less waits for a poll."""
        poll.waiters -= 1
        if not poll.waiters:
            del self._polls[poll.engine_id, poll.claim_id]
            if poll.answer.done():
                self._orphaned(poll)
            else:
                claimer.leave(poll)

    def _park(
        self, key: Key, engine_id: UUID, claim_id: UUID, most: int, lease_seconds: float, wait: float
    ) -> tuple[Poll, Claimer]:
        claimer = self._claimers.get(key)
        if claimer is None:
            self._drop_idle()
            claimer = self._claimers[key] = Claimer(self._lines, key, self._orphaned, self._pauses)
        loop = asyncio.get_running_loop()
        poll = Poll(engine_id, claim_id, most, lease_seconds, loop.time() + wait, loop.create_future())
        claimer.park(poll)
        return poll, claimer

    def _orphaned(self, poll: Poll) -> None:
        if poll.rows and not poll.delivered:
            task = asyncio.get_running_loop().create_task(self._back(poll))
            self._going_back.add(task)
            task.add_done_callback(self._going_back.discard)

    async def _back(self, poll: Poll) -> None:
        try:
            await self._give_back(poll.engine_id, poll.rows)
        except Exception:  # the leases go back by heartbeat or sweep then
            log.exception("claim_not_given_back", engine=str(poll.engine_id), events=poll.ids)

    def _drop_idle(self) -> None:
        """Lanes come and go (private pools); what nobody polls is forgotten."""
        if len(self._claimers) > MANY_LANES:
            self._claimers = {key: claimer for key, claimer in self._claimers.items() if not claimer.idle}


class Waiting:
    """One request's wait for a poll, which may be others' too. To be entered at once."""

    __slots__ = ("_claimer", "_claimers", "_gone", "_poll")

    def __init__(self, claimers: Claimers, poll: Poll, claimer: Claimer, gone: asyncio.Future[None]) -> None:
        self._claimers = claimers
        self._poll = poll
        self._claimer = claimer
        self._gone = gone

    async def __aenter__(self) -> Poll:
        poll = self._poll
        try:
            await _either(poll.answer, self._gone)
            if poll.answer.done():
                poll.answer.result()  # raises what went wrong
        except BaseException:
            self._claimers.leave(poll, self._claimer)
            raise
        return poll

    async def __aexit__(self, *_: object) -> None:
        self._claimers.leave(self._poll, self._claimer)


async def _either(one: asyncio.Future[list[ClaimedRow]], other: asyncio.Future[None]) -> None:
    """Wait until one of two is done; `asyncio.wait` for a thing as small as this."""
    if one.done() or other.done():
        return
    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(_: object) -> None:
        if not woken.done():
            woken.set_result(None)

    one.add_done_callback(wake)
    other.add_done_callback(wake)
    try:
        await woken
    finally:
        one.remove_done_callback(wake)
        other.remove_done_callback(wake)
