"""Runs that were out of money go on as soon as there is some again."""

from __future__ import annotations

from dataclasses import dataclass

from pyscrai_api.runs.going import LOOKED_AT, Going


@dataclass(kw_only=True)
class MoneyAgain:
    """Looks at so many runs at a time; a raised limit does not wait for it."""

    going: Going
    name: str = "money_again"
    every: float = 2.0
    batch: int = LOOKED_AT

    async def run_once(self) -> int:
        return await self.going.run_once()
