"""Events of paused types are held while the pause lasts, and let go after it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pyscrai_api.queue.pauses import Pauses


@dataclass(kw_only=True)
class HoldPaused:
    """Woken by each change. A pass that moved `batch` events or more is followed by the next at once."""

    pauses: Pauses
    name: str = "pauses"
    every: float = 0.5
    batch: int = 200

    @property
    def wake(self) -> asyncio.Event:
        return self.pauses.wake

    async def run_once(self) -> int:
        return await self.pauses.move()
