"""Dead letters of runs: sent to work again or given up. A run that stood still for nothing else goes on then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from pyscrai_api.queue import store
from pyscrai_api.queue.ports import DeadOfRun
from pyscrai_api.runs.finisher import RunEvents, ring_ready
from pyscrai_api.runs.going import Play
from pyscrai_api.runs.locked import LockedRun

_ANY_DEAD = "SELECT EXISTS (SELECT FROM queue WHERE run_id = $1 AND state = 6)"


class Letters:
    """The queue's port `RunDeadLetters`. `play` lets a run go on, or wait for a place."""

    def __init__(self, events: RunEvents, play: Play) -> None:
        self._events = events
        self._play = play

    async def redrive(self, run_id: UUID, event_ids: Sequence[int]) -> DeadOfRun:
        """Those of `event_ids` that are dead letters back to work."""

        async def work(run: LockedRun) -> list[int]:
            return [] if run.terminal else await store.redrive_rows(run.conn, list(event_ids))

        return await self._deal(run_id, work)

    async def discard(self, run_id: UUID, event_ids: Sequence[int]) -> DeadOfRun:
        """Those of `event_ids` that are dead letters given up: finished without a result."""

        async def work(run: LockedRun) -> list[int]:
            gone = await store.discard_rows(run.conn, list(event_ids))
            run.open -= len(gone)
            return gone

        return await self._deal(run_id, work)

    async def _deal(self, run_id: UUID, work: Callable[[LockedRun], Awaitable[list[int]]]) -> DeadOfRun:
        async def all_of_it(run: LockedRun) -> DeadOfRun:
            done = await work(run)
            going = bool(done) and blocked_by_dead_letters(run) and not await run.conn.fetchval(_ANY_DEAD, run.id)
            if going:
                await self._play(run)
            await ring_ready(run)
            return DeadOfRun(ids=done, goes_on=going)

        return await self._events.change(run_id, all_of_it, to_play=True) or DeadOfRun(ids=[])


def blocked_by_dead_letters(run: LockedRun) -> bool:
    """Whether dead letters are why a run stands still: then its reason names one of them."""
    return run.status == "blocked" and (run.reason or {}).get("event_id") is not None
