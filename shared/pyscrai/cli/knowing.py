"""What a seat could know, and who could know of a line, as pages."""

from __future__ import annotations

from rich.text import Text

from pyscrai.cli.paper import Paper
from pyscrai.cli.play import Play
from pyscrai.cli.playbill import Playbill
from pyscrai.cli.scenes import thought_lines
from pyscrai.contract.insights import Knowledge, Known


def show_knowledge(paper: Paper, bill: Playbill, told: Knowledge) -> None:
    """The play as the seat could follow it, then what it was told in confidence."""
    paper.line(
        Text(f"What {bill.seat(told.seat)} could know after turn {told.turn} (line {told.at} of the log)", "bold")
    )
    play = Play(paper, bill)
    for entry in told.entries:
        play.show(entry)
    if told.secrets:
        paper.rule("What it was told that only others had known", "bold")
        paper.blank()
        for one in told.secrets:
            paper.line(Text(f"  Turn {one.turn}: {bill.seat(one.of)}, {one.name} (since line {one.since})"))


def show_known(paper: Paper, bill: Playbill, told: Known) -> None:
    """A line of the log, and who could know of it."""
    if told.entry.kind == "thought":  # a play keeps it until something is said
        paper.block(bill.seat(told.entry.seat or ""), thought_lines(paper, told.entry))
    else:
        Play(paper, bill).show(told.entry)
    paper.blank()
    if told.everybody:
        paper.line(f"Everybody at the table could know of it from turn {told.entry.turn} on.")
    elif not told.seats:
        paper.line("Nobody at the table could know of it; those who look at the run can.")
    else:
        names = ", ".join(bill.seat(one.seat) for one in told.seats)
        paper.line(f"Only {names} could know of it, from turn {told.entry.turn} on (line {told.entry.seq} of the log).")
