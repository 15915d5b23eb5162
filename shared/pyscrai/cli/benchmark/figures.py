"""The figures of a benchmark, from logs and clocks."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyscrai.contract.runs import Delivered
from pyscrai.sdk.result import RunResult


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured. Times are seconds, sizes megabytes (10^6 bytes), costs US dollars."""

    scenario: str
    policy: str
    seats: int
    metrics: int
    checks: int
    model: str
    latency: float
    runs: int
    turns: int
    turn_average: float
    turn_p95: float
    turn_min: float
    turn_max: float
    calls_per_turn: float
    cost_per_turn: Decimal
    play: float
    first_turn: float
    start_command: float
    start_api: float
    memory: float | None
    memory_of: Mapping[str, float]
    log_digest: str

    def as_json(self) -> dict[str, Any]:
        """Rounded to what was really measured: milliseconds, tenths of a megabyte."""
        return {
            "scenario": self.scenario,
            "policy": self.policy,
            "seats": self.seats,
            "metrics": self.metrics,
            "checks": self.checks,
            "model": self.model,
            "latency": self.latency,
            "runs": self.runs,
            "turns": self.turns,
            "turn_seconds": {
                "average": round(self.turn_average, 3),
                "p95": round(self.turn_p95, 3),
                "min": round(self.turn_min, 3),
                "max": round(self.turn_max, 3),
            },
            "model_calls_per_turn": round(self.calls_per_turn, 2),
            "cost_per_turn": f"{self.cost_per_turn:f}",
            "play_seconds": round(self.play, 3),
            "start_up_seconds": {
                "command": round(self.start_command, 3),
                "api": round(self.start_api, 3),
                "first_turn": round(self.first_turn, 3),
            },
            "memory_mb": None
            if self.memory is None
            else {"total": round(self.memory, 1), **{kind: round(mb, 1) for kind, mb in self.memory_of.items()}},
            "log_digest": self.log_digest,
        }


def turn_seconds(log: Iterable[Delivered]) -> list[float]:
    """How long each turn took, by the database's clock: from its start to its end."""
    began: dict[int, datetime] = {}
    times: list[float] = []
    for entry in log:
        if entry.kind == "turn_started":
            began[entry.turn] = datetime.fromisoformat(entry.at)
        elif entry.kind == "turn_complete" and entry.turn in began:
            times.append((datetime.fromisoformat(entry.at) - began[entry.turn]).total_seconds())
    return times


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: a value that was measured, none in between."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def cost_per_turn(results: Sequence[RunResult]) -> Decimal:
    """To a millionth of a dollar, rounded as money is."""
    turns = sum(result.turns for result in results)
    return (sum((result.total_cost for result in results), Decimal(0)) / turns).quantize(Decimal("0.000001"))


def machine() -> dict[str, Any]:
    """What the figures were taken on. `load`: how many processes wanted a processor in the last minute, ours too."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or "unknown"
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError):
        return None
