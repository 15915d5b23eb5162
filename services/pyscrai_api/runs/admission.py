"""Runs that wait for a place begin, or go on, as soon as there is one: the oldest of each owner first."""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from pyscrai.contract.runs import Trouble
from pyscrai.domain.errors import PolicyError
from pyscrai.domain.play import begin
from pyscrai_api.database import Pool
from pyscrai_api.errors import Unprocessable, from_exception
from pyscrai_api.money.purses import WiderLimits
from pyscrai_api.runs.commit import write
from pyscrai_api.runs.finisher import RunEvents
from pyscrai_api.runs.going import go_on
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.runs.places import Places
from pyscrai_api.runs.plans import Plans

log = structlog.get_logger(__name__)

LOOKED_AT = 50
_NO_BOUND = 2**31
# One step along the index for each owner who has pending runs, then as many of theirs as there are places.
_DUE = """
WITH RECURSIVE owners (owner) AS (
  SELECT min(owner) FROM runs WHERE status = 'pending'
  UNION ALL
  SELECT (SELECT min(r.owner) FROM runs r WHERE r.status = 'pending' AND r.owner > o.owner)
  FROM owners o WHERE o.owner IS NOT NULL
)
SELECT due.id FROM owners o CROSS JOIN LATERAL (
  SELECT p.id FROM runs p WHERE p.owner = o.owner AND p.status = 'pending' ORDER BY p.id
  LIMIT greatest(0, $1 - (SELECT count(*) FROM runs r WHERE r.owner = o.owner AND r.status = 'running'))
) due WHERE o.owner IS NOT NULL ORDER BY due.id LIMIT $2
"""


class Admission:
    """Lets runs play, or wait for a place. `wake` is set whenever one may have become free in this process."""

    def __init__(self, pool: Pool, events: RunEvents, plans: Plans, places: Places, wider: WiderLimits) -> None:
        self._pool = pool
        self._events = events
        self._plans = plans
        self._places = places
        self._wider = wider
        self.wake: asyncio.Event = events.places_changed

    async def play(self, run: LockedRun) -> None:
        """Let a run begin or go on, or wait until it may. The caller holds its owner's lock and saves the run.

        Raises Unprocessable where its policy finds no beginning.
        """
        # Who waits for people holds no place; with a move it takes one again, before those that have not begun.
        in_turn, needs_none = run.status == "waiting", run.running or run.only_waits
        full = None if needs_none else await self._places.full(run.conn, run.owner, run.id, in_turn=in_turn)
        if full is None:
            await self._begin_or_go_on(run)
        else:
            run.status, run.reason = "pending", full.model_dump(mode="json", exclude_none=True)

    async def run_once(self) -> int:
        """Admit the runs that there is a place for; returns how many were looked at."""
        self.wake.clear()
        rows = await self._pool.fetch(
            _DUE, _NO_BOUND if self._places.at_once is None else self._places.at_once, LOOKED_AT
        )
        for row in rows:
            await self._admit(row["id"])
        return len(rows)

    async def _admit(self, run_id: UUID) -> None:
        async def work(run: LockedRun) -> None:
            if run.status == "pending" and await self._places.full(run.conn, run.owner, run.id, in_turn=True) is None:
                await self._begin_or_go_on(run)

        try:
            await self._events.change(run_id, work, to_play=True)
        except Exception as error:  # it must neither keep the others from their places nor be tried for ever
            if from_exception(error).status == 503:
                raise
            log.exception("run_cannot_begin", run=str(run_id))
            await self._block(run_id, error)

    async def _block(self, run_id: UUID, error: Exception) -> None:
        async def work(run: LockedRun) -> None:
            if run.status == "pending":
                message = f"the run cannot begin: {type(error).__name__}: {error}"
                run.stop("blocked", "run_blocked", Trouble(code="policy_error", message=message))

        await self._events.change(run_id, work)

    async def _begin_or_go_on(self, run: LockedRun) -> None:
        if run.branching:
            run.status, run.reason = "running", None  # its first step is opened by what commits this
            return
        if run.at_seq:
            await go_on(run, self._wider)
            return
        plan = await self._plans.of(run.conn, run.id, run.plan_version)
        try:
            first = begin(plan, seq=run.last_seq)
        except PolicyError as error:
            raise Unprocessable("policy_error", f"the scenario cannot begin: {error}") from None
        run.status, run.reason = "running", None
        await write(run, plan, first, self._places.fairness)
