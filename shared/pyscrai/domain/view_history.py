"""What may be remembered of a log, as lines with who said it and who alone heard it: a part of a view beside `view`."""

from __future__ import annotations

from typing import Any

from pyscrai.domain import pacts
from pyscrai.domain.entry import Entry
from pyscrai.domain.scenario import Scenario

HISTORY_LIMIT = 60
"""At most this many entries of history in a view, the latest ones."""
_TEXT_OF = {
    "decision": "action",
    "message": "text",
    "world_update": "narrative",
    "exogenous": "text",
    "input": "text",
    "edit": "text",
    "report": "summary",
}


def history(scenario: Scenario, entries: list[Entry]) -> list[dict[str, Any]]:
    """The latest of what was said, done or told in these entries, oldest first, as prompts are rendered over it."""
    lines = []
    for entry in entries:
        text = _text(scenario, entry)
        if text is not None:
            title = scenario.seat_title(entry.seat) if entry.seat in scenario.seats else ""
            line = {"turn": entry.turn, "kind": entry.kind, "seat": entry.seat, "title": title}
            to = entry.body.get("to")
            private = "channel" in entry.body or entry.kind in ("proposal", "exogenous", "input")
            among = _among(scenario, entry) if private else ""
            lines.append(line | {"text": text, "to": to, "among": among})
    return lines[-HISTORY_LIMIT:]


def _text(scenario: Scenario, entry: Entry) -> Any:
    """What of an entry is remembered as said or done; None where nothing is."""
    if entry.kind == "proposal":
        return pacts.sentence(entry.body, scenario.seat_title)
    field = _TEXT_OF.get(entry.kind)
    return None if field is None else entry.body.get(field, "")


def _among(scenario: Scenario, entry: Entry) -> str:
    """Who else heard a letter; empty where everybody did."""
    if not isinstance(entry.visible_to, list):
        return ""
    return ", ".join(
        scenario.seat_title(seat) for seat in entry.visible_to if seat != entry.seat and seat in scenario.seats
    )
