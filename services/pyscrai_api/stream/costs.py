"""What a run costs, told to those who follow it between the entries of its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pyscrai.contract.costs import CostNow
from pyscrai_api.queue.notify import COST_GAP


@dataclass(frozen=True, kw_only=True)
class CostAt:
    """`now`, as it was when the log ended with `seq`: whoever has read further has heard of it."""

    seq: int
    now: CostNow


class Told:
    """What followers of one run know of its costs. `spent`: what they may know from the log."""

    def __init__(self, spent: Decimal) -> None:
        self._spent = spent
        self._at: float | None = None

    def by_entry(self, cost: Decimal | None) -> None:
        """An entry was delivered, with the costs at its time."""
        if cost is not None:
            self._spent = cost

    def news(self, row: Mapping[str, Any], now: float) -> CostAt | None:
        """What to tell, from the run's row; None where it is known, or something was told just now (seconds)."""
        if row["spent"] == self._spent or (self._at is not None and now - self._at < COST_GAP):
            return None
        self._spent, self._at = row["spent"], now
        limit = row["limit_usd"]
        told = CostNow(
            spent=row["spent"],
            reserved=row["reserved"],
            limit=limit,
            remaining=None if limit is None else max(Decimal(0), limit - row["spent"]),
            model_calls=row["model_calls"],
        )
        return CostAt(seq=row["last_seq"], now=told)
