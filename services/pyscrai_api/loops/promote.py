"""Scheduled events become ready when they are due; ready events of runs that stand still are held.

`held` only keeps the ready index short: claims leave such rows alone anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pyscrai_api.database import Pool
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.store import Place, Woken, first_of_lanes

HEAD = 200
"""Rows at the head of each lane that are looked at for strays."""


@dataclass(kw_only=True)
class Promote:
    """`every` follows the next event that is due, between `shortest` and `longest` seconds."""

    pool: Pool
    bell: Bell
    name: str = "promote"
    batch: int = 1000
    shortest: float = 0.02
    longest: float = 0.5
    every: float = 0.5

    async def run_once(self) -> int:
        async with self.pool.acquire() as conn:
            rows = await conn.fetch(sql("loops", "promote"), self.batch)
            due = await conn.fetchval(sql("loops", "next_due"))
            strays = [row["run_id"] for row in await conn.fetch(sql("loops", "strays"), HEAD)]
        woken = [Woken(row["id"], row["lane"], Place(row["rank"], row["pass"], row["id"])) for row in rows]
        for lane, place in first_of_lanes(woken).items():
            self.bell.ring_lane(lane, place)
        held = sum([await self.hold(run_id) for run_id in strays])
        self.every = self.longest if due is None else min(self.longest, max(self.shortest, due))
        return max(len(rows), held)

    async def hold(self, run_id: UUID) -> int:
        """Hold the ready events of a run that stands still, under its lock; 0 where somebody else has it."""
        async with self.pool.acquire() as conn, conn.transaction():
            if await conn.fetchval(sql("loops", "lock_still"), run_id) is None:
                return 0
            return len(await conn.fetch(sql("loops", "hold"), run_id, self.batch))
