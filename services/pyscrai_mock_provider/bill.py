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


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request, whether it cost anything or not. `at`: when it came, in seconds since the bill began."""

    at: float
    key: str | None
    digest: str
    ending: str

    def shown(self, number: int) -> dict[str, Any]:
        at = round(self.at, 6)
        return {"number": number, "at": at, "key": self.key, "request_sha256": self.digest, "ending": self.ending}


@dataclass
class Bill:
    """Lines in the order in which answers were made, and all requests in the order in which they came."""

    began: float
    """By the provider's clock, in seconds."""
    lines: list[Line] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    most_at_once: int = 0
    """Those that were turned away are counted too."""

    def shown(self, after: int = 0) -> dict[str, Any]:
        """Totals of the whole bill, and its lines with numbers above `after`."""
        totals = {
            "requests": len(self.seen),
            "billed": len(self.lines),
            "most_at_once": self.most_at_once,
            "delivered": sum(line.delivered for line in self.lines),
            **{
                f"{name}_tokens": sum(getattr(line.usage, name) for line in self.lines)
                for name in ("input", "output", "cached", "cache_write", "reasoning")
            },
            "cost": shown(added([line.cost for line in self.lines])),
        }
        lines = [line.shown(number) for number, line in enumerate(self.lines[after:], after + 1)]
        endings = Counter(one.ending for one in self.seen)
        return {"totals": totals, "endings": dict(sorted(endings.items())), "lines": lines}

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """The requests with numbers above `after`."""
        return [one.shown(number) for number, one in enumerate(self.seen[after:], after + 1)]


def fingerprint(key: str | None) -> str | None:
    """What stands for a key on the bill: keys with equal fingerprints are equal, and no key can be read from one."""
    return hashlib.sha256(key.encode()).hexdigest()[:12] if key else None
