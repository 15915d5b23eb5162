"""Runs that wait for a place get it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pyscrai_api.runs.admission import LOOKED_AT, Admission


@dataclass(kw_only=True)
class Admit:
    """Woken when a run of this process ends or stands still; those of other processes are seen within `every`."""

    admission: Admission
    name: str = "admission"
    every: float = 1.0
    batch: int = LOOKED_AT

    @property
    def wake(self) -> asyncio.Event:
        return self.admission.wake

    async def run_once(self) -> int:
        return await self.admission.run_once()
