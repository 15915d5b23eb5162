"""Calls that stayed reserved under a lease that is over are charged at their upper bound.

So it goes when an event is handed back for want of money at its second call, and its engine dies before it has said
what the first one cost. Without this the run would wait for that settlement for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pyscrai_api.database import Pool
from pyscrai_api.queue.loose import Loose
from pyscrai_api.queue.ports import RunFinisher
from pyscrai_api.queue.statements import sql

PATIENCE = 60.0
"""Seconds after the end of a lease in which the usage of its calls is still awaited."""


@dataclass(kw_only=True)
class Reservations:
    """Settlements are accepted afterwards too: they correct what was charged."""

    pool: Pool
    loose: Loose
    runs: RunFinisher
    name: str = "reservations"
    every: float = 5.0
    batch: int = 200

    async def run_once(self) -> int:
        rows = await self.pool.fetch(sql("loops", "left_reserved"), PATIENCE, self.batch)
        loose: list[tuple[int, int]] = []
        of_runs: dict[UUID, list[tuple[int, int]]] = {}
        for row in rows:
            group = loose if row["run_id"] is None else of_runs.setdefault(row["run_id"], [])
            group.append((row["event_id"], row["lease_no"]))
        if loose:
            await self.loose.close_calls(loose)
        for run_id in sorted(of_runs):
            await self.runs.close_calls(run_id, of_runs[run_id])
        return len(rows)
