"""What a run is waiting for, as far as its log tells, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pyscrai.cli.charts import count
from pyscrai.cli.parley import listed
from pyscrai.cli.playbill import Playbill

WORDS_OF_PHASE = {
    "communication": "letters are being written",
    "coalition": "coalitions are being made",
    "world_update": "the narrator is writing what happens",
    "validation": "the analyst is checking and measuring",
    "metrics": "the analyst is measuring",
}

SECTIONS = {"communication": "Letters", "coalition": "Coalitions", "decision": "Decisions"}
"""What the parts of a turn are called, where it has more than decisions."""


def next_phase(bill: Playbill, done: Collection[str], wave: Sequence[str]) -> str:
    """Who or what comes next in the open turn; `wave`: the steps of a flow that are played."""
    if wave and not done:
        return f"{listed(wave)} {'is' if len(wave) == 1 else 'are'} being played"
    phase = next((phase for phase in bill.phases if phase not in done), None)
    if phase == "decision":
        names = list(bill.seats.values())
        if len(names) > 3:
            return f"{count(len(names), 'seat')} are deciding"
        return f"{listed(names)} {'is' if len(names) == 1 else 'are'} deciding"
    return WORDS_OF_PHASE.get(phase or "", "the turn is being closed")
