"""The control lines of a log as sentences."""

from __future__ import annotations

import json
from typing import Any

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
        return "Much of the limit is spent" + _share(body.get("share")), "yellow"
    return f"{entry.kind}: {as_text(body)}", "dim"


def _seat_changed(body: dict[str, Any], who: str) -> str:
    what = [str(body["model"])] if body.get("model") else []
    what += [f"{key} {body[key]}" for key in ("temperature", "max_tokens") if body.get(key) is not None]
    return f"{who or 'Everyone'} answers with {', '.join(what)} from now on"


def _share(share: Any) -> str:
    try:
        return f": {float(share):.0%}"
    except (TypeError, ValueError):
        return ""


def as_text(value: Any) -> str:
    """Any JSON value on one line; text as it is."""
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
