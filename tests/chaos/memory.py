"""What the harness remembers of what it sent and what it was told: the half of the verdict that no database keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Fate = Literal["finished", "cancelled", "discarded"]
Told = Literal["yes", "no"] | None
Role = Literal["left alone", "paused", "cancelled", "branched", "branch"]


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Something that must never be: which rule, of what, what was expected and what was found."""

    rule: str
    expected: str
    found: str
    event: int | None = None
    run: str | None = None
    lease: int | None = None

    def __str__(self) -> str:
        named = {"event": self.event, "lease": self.lease, "run": self.run}
        of = ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)
        return f"{self.rule}: {of or 'everything'}: expected {self.expected}; found {self.found}"


@dataclass(slots=True, kw_only=True)
class Sent:
    """A light event that was posted. `event`: its id, as soon as a post of it was acknowledged.

    `cancel` and `discard`: whether the API said yes (it is over by that) or no (it was over before); None: no
    answer, or nobody asked. `due`: it may not begin before.
    """

    n: int
    value: str
    dedupe_key: str | None = None
    due: datetime | None = None
    event: int | None = None
    cancel: Told = None
    cancelling: bool = False
    discard: Told = None
    discarding: bool = False

    @property
    def fates(self) -> frozenset[Fate]:
        """How it may have ended."""
        if self.cancel == "yes":
            return frozenset({"cancelled"})
        if self.discard == "yes":
            return frozenset({"discarded"})
        perhaps: set[Fate] = {"finished"}
        if self.cancelling and self.cancel is None:
            perhaps.add("cancelled")
        # A no is not for ever: a late copy of the request finds it dead, perhaps.
        if self.discarding:
            perhaps.add("discarded")
        return frozenset(perhaps)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What is played: a scenario under a seed, and what a branch of it after `branch_turn` does otherwise."""

    scenario: str
    seed: int
    branch_turn: int | None = None

    def __str__(self) -> str:
        return f"{self.scenario} under seed {self.seed}" + (
            "" if self.branch_turn is None else f", branched after turn {self.branch_turn}"
        )


@dataclass(slots=True, kw_only=True)
class Begun:
    """A run that was asked for. `run`: its id, as soon as that was acknowledged; `cancel` as of `Sent`."""

    key: str
    piece: Piece
    role: Role
    run: str | None = None
    cancel: Told = None
    cancelling: bool = False


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """A time in which the API said that nothing of this event type was leased, or would be."""

    event_type: str
    since: datetime
    until: datetime


@dataclass
class Memory:
    """Everything that was sent, by number or key; `references`: the undisturbed run of each piece; `told`: what the
    API's own answers already contradict."""

    sent: dict[int, Sent] = field(default_factory=dict)
    begun: dict[str, Begun] = field(default_factory=dict)
    references: dict[Piece, str] = field(default_factory=dict)
    told: list[Violation] = field(default_factory=list)
    doubled: int = 0
    """Posts that were made twice on purpose."""
    pauses: int = 0
    stopped: list[Stopped] = field(default_factory=list)
    """When event types were really at rest."""

    def acknowledge(self, n: int, event: int) -> None:
        """An answer said that event number `n` has this id; another one before must have said the same."""
        sent = self.sent[n]
        if sent.event is None:
            sent.event = event
        elif sent.event != event:
            self.told.append(
                Violation(
                    rule="one id",
                    event=event,
                    expected=f"event number {n} to be {sent.event}, as an earlier answer said",
                    found=f"an answer that says {event}",
                )
            )

    def begin(self, begun: Begun, run: str) -> None:
        """An answer said that this run has this id; another one before must have said the same."""
        if begun.run is None:
            begun.run = run
        elif begun.run != run:
            expected = f"the key {begun.key} to have begun {begun.run}, as an earlier answer said"
            self.told.append(Violation(rule="one id", run=run, expected=expected, found="another run"))

    @property
    def acknowledged(self) -> int:
        return sum(sent.event is not None for sent in self.sent.values())
