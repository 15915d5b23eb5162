"""Letters, statements and coalitions in a play: who hears what, and what was agreed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from pyscrai.cli.notices import as_text
from pyscrai.cli.paper import Paper
from pyscrai.cli.playbill import Playbill
from pyscrai.cli.prose import one_line
from pyscrai.domain import pacts
from pyscrai.domain.entry import Entry

COALITION = "Coalition"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def hearers(bill: Playbill, entry: Entry) -> list[str]:
    """Titles of those who alone may read an entry, beside its own seat; empty where all may."""
    seats = entry.visible_to if isinstance(entry.visible_to, list) else []
    return [bill.seat(seat) for seat in seats if seat != entry.seat and seat in bill.seats]


def direction(bill: Playbill, entry: Entry, names: dict[str, str]) -> str:
    """`(only to Bo, closing) `: to whom a message is. `names`: what coalitions are called."""
    body = entry.body
    alone, to = hearers(bill, entry), str(body.get("to") or "")
    parts: list[str] = []
    if body.get("channel") == "public":
        parts.append("to everybody")
    elif body.get("channel") == "coalition":
        parts.append(f"in “{one_line(names.get(to, to))}”")
    if alone:
        parts.append(f"only to {listed(alone)}")
    elif to and "channel" not in body:
        parts.append(f"to {bill.seat(to)}")
    parts += ["closing"] if body.get("closing") else []
    return f"({', '.join(parts)}) " if parts else ""


def proposal_lines(paper: Paper, bill: Playbill, entry: Entry) -> list[Text]:
    """A move towards, in or out of a coalition, with who else knows of it."""
    alone = hearers(bill, entry)
    note = f"(only {listed(alone)} {'knows' if len(alone) == 1 else 'know'}) " if alone else ""
    lines = paper.filled(note + one_line(pacts.sentence(entry.body, bill.seat)), "magenta")
    if lines and note:
        lines[0].stylize("dim", 0, len(note))
    return lines


def happening_lines(paper: Paper, bill: Playbill, entry: Entry) -> list[Text]:
    """What happened from outside, and who alone learns of it."""
    text = next((str(entry.body[key]) for key in ("text", "description", "title") if entry.body.get(key)), "")
    alone = hearers(bill, entry)
    note = f"(only to {listed(alone)}) " if alone else ""
    return paper.filled(note + (text or as_text(entry.body)))


def told_lines(paper: Paper, bill: Playbill, entry: Entry) -> list[Text]:
    """What people put into a run: something said, perhaps to one seat only, or what they have changed."""
    to, fields = entry.body.get("to"), entry.body.get("fields")
    only = f"(only to {bill.seat(str(to))}) " if to else ""
    world = [str(entry.body["world"])] if entry.body.get("world") else []
    changed = [f"{name}: {as_text(value)}" for name, value in fields.items()] if isinstance(fields, dict) else world
    lines = paper.filled(only + str(entry.body.get("text") or ""))
    return [*lines, *(line for text in changed for line in paper.filled(text, "dim"))]
