"""What is beside the table in a turn, a page each: letters of two, what is said in a coalition, what was checked.

They are called as researchers know them: bilateral-A-B-001.md, coalition-NAME-001.md, validation-001.md, report-001.md.
"""

from __future__ import annotations

from pyscrai.contract.runs import Delivered
from pyscrai.domain.scenario import slug
from pyscrai.sdk.export.gather import Record
from pyscrai.sdk.export.kinds import shown, title_of
from pyscrai.sdk.export.text import one_line

Page = list[str]
LISTED = 30
"""Letters of a coalition's name in a file's name."""


def pages(record: Record, turn: int, entries: list[Delivered]) -> dict[str, Page]:
    """File name → page, in the order in which the first of it was said."""
    found: dict[str, Page] = {}
    for entry in entries:
        place = _place(record, turn, entry)
        if place is not None:
            name, title = place
            found.setdefault(name, [f"# {title}: turn {turn}"])
            found[name] += shown(record, entry, alone=False)
    return found


def is_private(name: str) -> bool:
    """Whether a page of that name is of what only some at the table heard; the others are in the turn's own page."""
    return name.startswith(("bilateral-", "coalition-"))


def _place(record: Record, turn: int, entry: Delivered) -> tuple[str, str] | None:
    """The file that an entry goes into, and its title; None where it is told at the table."""
    body = entry.body
    if entry.kind in ("check", "alert"):
        return f"validation-{turn:03d}.md", "Checks and alerts"
    if entry.kind == "report":
        return f"report-{turn:03d}.md", "Report"
    if entry.kind == "message" and body.get("channel") == "bilateral":
        pair = sorted([str(entry.seat), str(body.get("to"))])
        return f"bilateral-{'-'.join(pair)}-{turn:03d}.md", " and ".join(title_of(record, seat) for seat in pair)
    inside = body.get("coalition") if entry.kind == "proposal" else body.get("to")
    if entry.kind == "proposal" or body.get("channel") == "coalition":
        called = record.coalitions.get(str(inside), str(inside))
        # Two may be called the same: the key, which is unique, tells them apart.
        return f"coalition-{inside}-{slug(called)[:LISTED].strip('-')}-{turn:03d}.md", one_line(called)
    return None
