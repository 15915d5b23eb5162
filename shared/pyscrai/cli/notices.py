"""The control lines of a log as sentences."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from pyscrai.cli.charts import money
from pyscrai.cli.playbill import Playbill
from pyscrai.cli.prose import one_line
from pyscrai.domain.entry import Entry


def notice(entry: Entry, bill: Playbill) -> tuple[str, str]:
    """A control entry in words, and its colour."""
    body = entry.body
    message = one_line(str(body.get("message") or ""))
    who = bill.seat(str(body["seat"])) if body.get("seat") else ""
    if entry.kind == "run_paused":
        return f"Paused: {message}" if message else "Paused", "yellow"
    if entry.kind == "run_resumed":
        return "Resumed", "green"
    if entry.kind == "run_blocked":
        # What happened to the event stands on the line before, and what to do about it at the end.
        told = "" if body.get("event_id") else f": {message}"
        return f"Blocked{f' at {who}' if who else ''}{told}", "red"
    if entry.kind == "run_cancelled":
        return "Cancelled", "yellow"
    if entry.kind == "run_failed":
        return f"Failed: {message}", "red"
    if entry.kind == "event_dead":
        error = one_line(str(body.get("error") or ""))
        return f"{body.get('event_type')}{f' of {who}' if who else ''} failed for good: {error}", "red"
    if entry.kind == "limit_changed":
        limit = body.get("limit")
        return "The limit is now none" if limit in (None, "none") else f"The limit is now ${limit}", "cyan"
    if entry.kind == "seat_changed":
        return _seat_changed(body, who), "cyan"
    if entry.kind == "credit_limit_warning":
        return _limit_warning(body), "yellow"
    return f"{entry.kind}: {as_text(body)}", "dim"


def _seat_changed(body: dict[str, Any], who: str) -> str:
    what = [str(body["model"])] if body.get("model") else []
    what += [f"{key} {body[key]}" for key in ("temperature", "max_tokens") if body.get(key) is not None]
    return f"{who or 'Everyone'} answers with {', '.join(what)} from now on"


WHOSE_LIMIT = {
    "run": "the run's limit",
    "day": "today's limit",
    "week": "this week's limit",
    "installation": "the installation's limit",
}


def _limit_warning(body: dict[str, Any]) -> str:
    """`82% of the run's limit is used: $0.82 of $1.00`."""
    scope, name = str(body.get("scope") or "run"), body.get("name")
    whose = f"the limit of the group {name}" if scope == "group" else WHOSE_LIMIT.get(scope, f"the limit of {scope}")
    spent, limit = _amount(body.get("spent")), _amount(body.get("limit"))
    figures = "" if spent is None or limit is None else f": {money(spent)} of {money(limit)}"
    share = _amount(body.get("share"))
    return f"{'Much' if share is None else f'{share:.0%}'} of {whose} is used{figures}"


def _amount(value: Any) -> Decimal | None:
    """A number of an entry, which came as text."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def as_text(value: Any) -> str:
    """Any JSON value on one line; text as it is."""
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
