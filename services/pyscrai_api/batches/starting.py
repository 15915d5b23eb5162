"""Runs of a sweep are started one by one, each once: the run and the note of it are one transaction.

Lock order: the batch, then what starting a run locks. Whoever pauses or cancels a batch changes its row first, and
only then its runs, so that no run is started behind their back.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import structlog

from pyscrai.contract.runs import NewRun
from pyscrai.domain.choices import Choices
from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import from_exception
from pyscrai_api.runs.commit import Committed
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.runs.service import Runs

log = structlog.get_logger(__name__)
LOOKED_AT = 20
"""Batches that are looked at in one go; the next go looks behind them."""
FIRST = UUID(int=0)
STARTED = 10
"""Runs of one batch that are started in one go."""
_RUNNING = "SELECT id FROM batches WHERE status = 'running' AND id > $1 ORDER BY id LIMIT $2"
_LOCK = """
SELECT id, owner, config ->> 'scenario' AS scenario, (config ->> 'version')::int AS version, at_once, pool
FROM (SELECT id, owner, config::jsonb -> 'config' AS config, at_once, pool FROM batches
  WHERE id = $1 AND status = 'running' FOR UPDATE SKIP LOCKED) held
"""
_STANDING = """
SELECT count(*) FILTER (WHERE b.run_id IS NULL AND b.error IS NULL) AS planned,
  count(*) FILTER (WHERE r.status IN ('pending', 'running', 'waiting')) AS playing,
  count(*) FILTER (WHERE r.status = 'paused' AND r.reason ->> 'code' = 'out_of_money') AS broke,
  count(*) FILTER (WHERE r.status NOT IN ('completed', 'failed', 'cancelled')) AS open
FROM batch_runs b LEFT JOIN runs r ON r.id = b.run_id WHERE b.batch_id = $1
"""
_NEXT = """
SELECT place, choices FROM batch_runs WHERE batch_id = $1 AND run_id IS NULL AND error IS NULL ORDER BY place LIMIT 1
"""
_DONE = "UPDATE batches SET status = 'done' WHERE id = $1"
_NOTE = "UPDATE batch_runs SET run_id = $3 WHERE batch_id = $1 AND place = $2"
_OF = "UPDATE runs SET batch_id = $2 WHERE id = $1"
_REFUSED = "UPDATE batch_runs SET error = $3 WHERE batch_id = $1 AND place = $2"


class Starting:
    """`wake` is set when a batch is posted or goes on in this process."""

    def __init__(self, pool: Pool, runs: Runs) -> None:
        self._pool = pool
        self._runs = runs
        self.wake = asyncio.Event()
        self._after = FIRST

    async def run_once(self) -> int:
        """Start what there is room for; returns how many runs that were."""
        self.wake.clear()
        started = 0
        rows = await self._pool.fetch(_RUNNING, self._after, LOOKED_AT)
        # Those that have no room now, or wait for people or money, must not keep the others from being looked at.
        self._after = rows[-1]["id"] if len(rows) == LOOKED_AT else FIRST
        for row in rows:
            for _ in range(STARTED):
                if not await self._start_one(row["id"]):
                    break
                started += 1
        return started

    async def _start_one(self, batch_id: UUID) -> bool:
        """Start the next run of a batch; False where there is nothing to do now, or somebody else is at it."""
        async with self._pool.acquire() as conn, conn.transaction():
            batch = await conn.fetchrow(_LOCK, batch_id)
            if batch is None:
                return False
            standing = await conn.fetchrow(_STANDING, batch_id)
            assert standing is not None
            if not standing["planned"] and not standing["open"]:
                await conn.execute(_DONE, batch_id)
            # A budget that is used up stops the next one too: it would only stand still beside the others.
            if not standing["planned"] or standing["playing"] >= batch["at_once"] or standing["broke"]:
                return False
            planned = await conn.fetchrow(_NEXT, batch_id)
            begun = await self._begin(conn, batch, planned)
        if begun is not None:
            self._runs.began(*begun)
        return True

    async def _begin(self, conn: Connection, batch: Any, planned: Any) -> tuple[LockedRun, Committed | None] | None:
        """A run that cannot be started is noted and does not keep the others from it."""
        wanted = NewRun(
            scenario=batch["scenario"],
            version=batch["version"],
            choices=Choices.model_validate_json(planned["choices"]),
            pool=batch["pool"],
        )
        try:
            async with conn.transaction():
                run, first = await self._runs.start_in(conn, wanted, batch["owner"])
                await conn.execute(_OF, run.id, batch["id"])
                await conn.execute(_NOTE, batch["id"], planned["place"], run.id)
        except Exception as error:
            shown = from_exception(error)
            if shown.status == 503:
                raise
            log.exception("batch_run_not_started", batch=str(batch["id"]), place=planned["place"])
            text = "; ".join([shown.detail, *(f"{one.pointer}: {one.message}" for one in shown.errors)])
            await conn.execute(_REFUSED, batch["id"], planned["place"], text[:2000] or type(error).__name__)
            return None
        return run, first
