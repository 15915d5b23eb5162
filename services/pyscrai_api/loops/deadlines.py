"""Deadlines of people pass."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pyscrai_api.seats.deadlines import LOOKED_AT, Deadlines


@dataclass(kw_only=True)
class PassDeadlines:
    """`every` follows the next deadline, between `shortest` and `longest` seconds."""

    deadlines: Deadlines
    name: str = "deadlines"
    batch: int = LOOKED_AT
    shortest: float = 0.02
    longest: float = 1.0
    every: float = 1.0

    @property
    def wake(self) -> asyncio.Event:
        return self.deadlines.wake

    async def run_once(self) -> int:
        done, following = await self.deadlines.run_once()
        self.every = self.longest if following is None else min(self.longest, max(self.shortest, following))
        return done
