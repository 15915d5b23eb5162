"""Deadlines of people at seats pass, by the database's clock; and replays take what was recorded of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import structlog

from pyscrai_api.database import Pool
from pyscrai_api.errors import from_exception
from pyscrai_api.money.terms import Terms
from pyscrai_api.queue import people
from pyscrai_api.queue.people import RECORDED, Passed, Waits
from pyscrai_api.queue.statements import sql
from pyscrai_api.runs.finisher import RunEvents
from pyscrai_api.runs.going import Play
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.seats.onward import go_on

log = structlog.get_logger(__name__)

LOOKED_AT = 200


class Deadlines:
    """A run that stands still has its deadlines stand still too: they begin anew when it goes on (`runs.going`)."""

    def __init__(self, pool: Pool, events: RunEvents, terms: Terms, play: Play) -> None:
        self._pool = pool
        self._events = events
        self._terms = terms
        self._play = play
        self.wake: asyncio.Event = events.deadlines_changed

    async def run_once(self) -> tuple[int, float | None]:
        """Let those pass that are due; returns how many were looked at, and the seconds until the next."""
        self.wake.clear()
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(sql("people", "due"), LOOKED_AT)
            following = await conn.fetchval(sql("people", "next_deadline"))
        of_runs: dict[UUID, list[int]] = {}
        for row in rows:
            of_runs.setdefault(row["run_id"], []).append(row["event_id"])
        for run_id in sorted(of_runs):
            try:
                await self.pass_of(run_id, of_runs[run_id])
            except Exception as error:  # one run must not keep the others from their deadlines
                if from_exception(error).status == 503:
                    raise
                log.exception("deadline_failed", run=str(run_id), events=of_runs[run_id])
        return len(rows), following

    async def pass_of(self, run_id: UUID, ids: Sequence[int]) -> None:
        """Let those of one run pass that are due; none where somebody else holds the run: the next look sees them."""

        async def work(run: LockedRun) -> None:
            found = await people.passed(run.conn, ids) if run.playing else []
            of = {rule: [one for one in found if one.rule == rule] for rule in (RECORDED, "skip", "model")}
            finished = await self._recorded(run, of[RECORDED]) + await people.skip(run.conn, _waits(of["skip"]))
            for one in of["model"]:
                if one.proposed is not None:
                    finished += await people.submit(run.conn, _waits([one])[0], one.proposed, None, "approved")
            moving = _waits([one for one in of["model"] if one.proposed is None])
            woken = await people.to_model(run.conn, moving, "to_model", None)
            run.woke(woken)
            await go_on(run, self._terms, self._play, finished + len(woken), finished=finished)

        await self._events.change(run_id, work, if_free=True, to_play=True)

    async def _recorded(self, run: LockedRun, found: Sequence[Passed]) -> int:
        if not found or run.replay_of is None:
            return 0
        told = await people.recorded(run.conn, run.replay_of, found[0].step)
        finished = 0
        for one in found:
            said = told.get(one.ordinal)
            if said is None:
                await people.wait_on(run.conn, [one.event_id])
            elif said.result is None:
                finished += await people.skip(run.conn, _waits([one]))
            else:
                finished += await people.submit(run.conn, _waits([one])[0], said.result, None)
        return finished


def _waits(found: Sequence[Passed]) -> list[Waits]:
    return [Waits(one.event_id, one.lease_no) for one in found]
