"""What an author's own steps and event types bring into a play: reports, and further fields of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from pyscrai.cli.notices import as_text
from pyscrai.cli.paper import Paper
from pyscrai.cli.playbill import Playbill
from pyscrai.cli.prose import fill, one_line
from pyscrai.domain.entry import Entry
from pyscrai.domain.scenario import readable


def thought_lines(paper: Paper, entry: Entry) -> list[Text]:
    """What a seat thought, and what it was after."""
    thought = str(entry.body.get("reasoning") or entry.body.get("thought") or "")
    goals = entry.body.get("goals")
    lines = paper.labelled("thinks", thought) if thought.strip() else []
    if isinstance(goals, list) and goals:
        lines += paper.labelled("wants", "; ".join(str(goal) for goal in goals))
    return lines


def report_lines(paper: Paper, bill: Playbill, entry: Entry) -> list[Text]:
    """What the analyst reports: in words, then where it turned, who moved whom, where each seat stands."""
    body = entry.body
    lines = paper.filled(str(body.get("summary") or ""))
    for found in _listed(body.get("findings")):
        lines += fill(f"- {as_text(found)}", paper.right, paper.glyphs)
    arrow = paper.glyphs.arrow
    told = {
        "Turning points": [f"turn {one.get('turn')}: {one.get('what')}" for one in _dicts(body.get("turning_points"))],
        "Who moved whom": [
            f"{_who(bill, one.get('from'))} {arrow} {_who(bill, one.get('to'))}: {one.get('how')}"
            for one in _dicts(body.get("influence"))
        ],
        "Where they stand": [
            f"{_who(bill, one.get('seat'))}: {one.get('position')}" for one in _dicts(body.get("positions"))
        ],
    }
    for title, items in told.items():
        lines += [Text(title, "bold")] if items else []
        for item in items:
            lines += fill(f"- {one_line(item)}", paper.right, paper.glyphs)
    return lines + field_lines(paper, entry)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in _listed(value) if isinstance(one, dict)]


def _who(bill: Playbill, seat: Any) -> str:
    """What people read for a seat; a model may have written a title instead."""
    return bill.seat(str(seat)) if str(seat) in bill.seats else one_line(str(seat))


def field_lines(paper: Paper, entry: Entry) -> list[Text]:
    """The further fields of an answer, which an author's own step or event type has asked for."""
    return _pairs(paper, entry.body.get("fields"), "cyan")


def _pairs(paper: Paper, values: Any, style: str) -> list[Text]:
    lines: list[Text] = []
    for name, value in values.items() if isinstance(values, Mapping) else ():
        lines += fill(f"{readable(str(name))}: {as_text(value)}", paper.right, paper.glyphs, style)
    return lines
