"""Runs of sweeps begin as soon as there is room for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pyscrai_api.batches.starting import STARTED, Starting


@dataclass(kw_only=True)
class StartRuns:
    """Woken when a batch is posted or goes on; runs that end are seen within `every`."""

    starting: Starting
    name: str = "batches"
    every: float = 0.5
    batch: int = STARTED

    @property
    def wake(self) -> asyncio.Event:
        return self.starting.wake

    async def run_once(self) -> int:
        return await self.starting.run_once()
