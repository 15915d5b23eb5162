"""Where a run may be branched: the places of its log at which the policy was asked what comes next.

What comes after such a place is a function of the state there, so another run may go on from it as this one did, or
otherwise. Within the lines that one step's results made, or between lines of one move of the policy, it may not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

MARKS = ("run_started", "phase_complete", "turn_complete")
"""The kinds of entries that boundaries are found by."""


class Mark(NamedTuple):
    """An entry of one of those kinds: its number, place (step, and the how-manieth line of it), turn and phase."""

    seq: int
    step: int
    n: int
    kind: str
    turn: int
    phase: str | None


class Boundary(BaseModel):
    """A place to branch at: after the entry numbered `seq`. `phase` None: after the whole turn (turn 0: before the
    first)."""

    model_config = ConfigDict(frozen=True)

    seq: int
    turn: int
    phase: str | None = None
    step: int
    n: int

    def named(self) -> str:
        if self.phase is not None:
            return f"{self.seq} (turn {self.turn}, after {self.phase})"
        return f"{self.seq} (after turn {self.turn})" if self.turn else f"{self.seq} (before turn 1)"


def boundaries(marks: Iterable[Mark]) -> Iterator[Boundary]:
    """The boundaries of a log, in order, from all its marks in order.

    Of a step's `phase_complete` lines the first ones in a row end what its results made; later ones are the policy's.
    """
    block: Mark | None = None
    closed = 0  # the step of which the block of results is over; step 0 has no results
    for mark in marks:
        if block is not None and (mark.kind != "phase_complete" or (mark.step, mark.n) != (block.step, block.n + 1)):
            yield _at(block, block.phase)
            closed, block = block.step, None
        if mark.kind != "phase_complete":
            yield _at(mark, None)
        elif block is not None or mark.step != closed:
            block = mark
    if block is not None:
        yield _at(block, block.phase)


def _at(mark: Mark, phase: str | None) -> Boundary:
    return Boundary(seq=mark.seq, turn=mark.turn, phase=phase, step=mark.step, n=mark.n)
