"""Leases that ran out go back, or to the dead letters.

After the database, or this process, was away, engines first get the time of one lease to renew what they hold.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog

from pyscrai_api.database import Pool
from pyscrai_api.errors import from_exception
from pyscrai_api.queue.loose import Loose
from pyscrai_api.queue.ports import RunFinisher
from pyscrai_api.queue.statements import sql

log = structlog.get_logger()

BREAK = 5.0
"""Seconds without a successful look after which the database counts as having been away."""


@dataclass(kw_only=True)
class Sweep:
    """`clock` gives monotonic seconds."""

    pool: Pool
    loose: Loose
    runs: RunFinisher
    name: str = "sweep"
    every: float = 0.5
    batch: int = 500
    clock: Callable[[], float] = time.monotonic
    _since: float | None = None
    _last: float = 0.0
    _server: datetime | None = field(default=None)

    async def run_once(self) -> int:
        taken = 0
        loose: list[int] = []
        of_runs: dict[UUID, list[int]] = {}
        async with self.pool.acquire() as conn:
            seen = self._seen(await conn.fetchval(sql("loops", "server_start")))
            rows = await conn.fetch(sql("loops", "expired"), self.batch, seen)
        for row in rows:
            (loose if row["run_id"] is None else of_runs.setdefault(row["run_id"], [])).append(row["id"])
        if loose:
            taken += await self.loose.sweep(loose)
        for run_id in sorted(of_runs):
            try:
                taken += await self.runs.sweep_run(run_id, of_runs[run_id])
            except Exception as error:  # one run must not keep the others from their leases
                if from_exception(error).status == 503:
                    raise
                log.exception("sweep_failed", run=str(run_id), events=of_runs[run_id])
        return taken

    def _seen(self, server: datetime) -> float:
        """Seconds that the database has been there without a break, as far as this process saw."""
        now = self.clock()
        if self._since is None or server != self._server or now - self._last > BREAK + self.every:
            self._since, self._server = now, server
        self._last = now
        return now - self._since
