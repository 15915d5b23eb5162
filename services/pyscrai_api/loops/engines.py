"""Engines that nothing was heard of for long are gone. Their leases run out by themselves."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from pyscrai_api.database import Pool
from pyscrai_api.queue.statements import sql

log = structlog.get_logger()


@dataclass(kw_only=True)
class Silence:
    """Marks silent engines."""

    pool: Pool
    name: str = "silence"
    every: float = 5.0
    batch: int = 100

    async def run_once(self) -> int:
        rows = await self.pool.fetch(sql("engines", "silent"), self.batch)
        for row in rows:
            log.info("engine_gone", engine=str(row["id"]))
        return len(rows)
