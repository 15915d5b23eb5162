"""What was done to a world: every kill with what its victim held at that moment, every other fault by name."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

KillKind = Literal["engine", "real_engine", "api", "postgres", "backend"]
KINDS: tuple[KillKind, ...] = ("engine", "real_engine", "api", "postgres", "backend")


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One `kill -9`. `at`: seconds since the world began; `leases` and `transactions`: what the victim held when it
    could do nothing more (an engine its leases; a replica its open transactions; a server those of all clients, and
    all leases)."""

    at: float
    kind: KillKind
    name: str
    pid: int
    leases: int
    transactions: int

    @property
    def held(self) -> bool:
        return bool(self.leases or self.transactions)


@dataclass(frozen=True, kw_only=True)
class Death:
    """A process that ended without us. `refused`: it says itself that it cannot start now, for example without a
    database; anything else is a finding."""

    at: float
    name: str
    ending: str
    last_words: str
    refused: bool


@dataclass
class Ledger:
    """Grows while the world is disturbed."""

    began: float = field(default_factory=time.monotonic)
    kills: list[Kill] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    times: list[tuple[float, str]] = field(default_factory=list)
    """Every fault in order, with the seconds since the world began."""
    deaths: list[Death] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)
    """Faults for which no victim was found, or that this machine cannot do."""

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    def did(self, fault: str) -> None:
        """A fault happened."""
        self.faults[fault] += 1
        self.times.append((round(self.now, 2), fault))

    @property
    def findings(self) -> list[Death]:
        """Processes that ended by themselves and did not say why in a way that is foreseen."""
        return [death for death in self.deaths if not death.refused]

    def killed(self, *kinds: KillKind, held: bool = False) -> int:
        """Kills of these kinds, or of all; only those whose victim held something where `held`."""
        return sum((not kinds or kill.kind in kinds) and (kill.held or not held) for kill in self.kills)

    def history(self) -> list[tuple[float, str]]:
        """Everything that was done, and every death, in order."""
        killed = [(kill.at, f"kill {kill.name}, {kill.leases} leases, {kill.transactions} tx") for kill in self.kills]
        died = [(death.at, f"{death.name} ended: {death.ending}") for death in self.deaths]
        return sorted((round(at, 2), what) for at, what in [*self.times, *killed, *died])

    def summary(self) -> dict[str, Any]:
        """For a report, as JSON."""
        return {
            "seconds": round(self.now, 1),
            "kills": {"all": self.killed(), **{kind: self.killed(kind) for kind in KINDS}},
            "kills_while_holding": {
                "all": self.killed(held=True),
                **{kind: self.killed(kind, held=True) for kind in KINDS},
            },
            "faults": dict(sorted(self.faults.items())),
            "missed": dict(sorted(self.missed.items())),
            "starts_refused": sum(death.refused for death in self.deaths),
            "unexpected_deaths": [asdict(death) for death in self.findings],
        }
