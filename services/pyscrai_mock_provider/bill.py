"""The provider's own bill: a line for each answer that was made, whether it arrived or not."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pyscrai_mock_provider.prices import Usage, added, shown


@dataclass(frozen=True, kw_only=True)
class Line:
    """One answer that was made. `request`: which request it was, from 1; `digest`: the sha256 of its bytes.

    `delivered`: it was handed to a connection that was open, unharmed. `status` is None where none was sent.
    """

    request: int
    model: str
    key: str | None
    digest: str
    usage: Usage
    cost: Decimal
    delivered: bool
    status: int | None
    finish_reason: str
    fault: str | None

    def shown(self, number: int) -> dict[str, Any]:
        return {
            "number": number,
            "request": self.request,
            "model": self.model,
            "key": self.key,
            "request_sha256": self.digest,
            "input_tokens": self.usage.input,
            "output_tokens": self.usage.output,
            "cached_tokens": self.usage.cached,
            "cache_write_tokens": self.usage.cache_write,
            "reasoning_tokens": self.usage.reasoning,
            "cost": shown(self.cost),
            "delivered": self.delivered,
            "status": self.status,
            "finish_reason": self.finish_reason,
            "fault": self.fault,
        }


@dataclass
class Bill:
    """Lines in the order in which answers were made, and how all requests ended, those that cost nothing too."""

    lines: list[Line] = field(default_factory=list)
    endings: Counter[str] = field(default_factory=Counter)

    def shown(self, after: int = 0) -> dict[str, Any]:
        """Totals of the whole bill, and its lines with numbers above `after`."""
        totals = {
            "requests": self.endings.total(),
            "billed": len(self.lines),
            "delivered": sum(line.delivered for line in self.lines),
            **{
                f"{name}_tokens": sum(getattr(line.usage, name) for line in self.lines)
                for name in ("input", "output", "cached", "cache_write", "reasoning")
            },
            "cost": shown(added([line.cost for line in self.lines])),
        }
        lines = [line.shown(number) for number, line in enumerate(self.lines[after:], after + 1)]
        return {"totals": totals, "endings": dict(sorted(self.endings.items())), "lines": lines}


def fingerprint(key: str | None) -> str | None:
    """What stands for a key on the bill: keys with equal fingerprints are equal, and no key can be read from one."""
    return hashlib.sha256(key.encode()).hexdigest()[:12] if key else None
