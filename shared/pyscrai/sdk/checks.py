"""How checks are read: what counts as inconsistent, and what only comes out in any good talk."""

from __future__ import annotations

from pyscrai.domain.disclosure import CHECK as DISCLOSURE
from pyscrai.domain.entry import Entry

DONE_ABOUT = {"reask": "asked again", "halt": "the run stands still", "warn": "warning"}
"""What happened because of a check that found something, by its `action`."""


def is_disclosure(entry: Entry) -> bool:
    return entry.kind == "check" and entry.body.get("check") == DISCLOSURE


def is_usual(entry: Entry) -> bool:
    """Whether a check is a disclosure as it happens in any good talk: goals and limits that were spoken of. It is
    listed, and does not count as inconsistent."""
    return is_disclosure(entry) and entry.body.get("severity") == "low"
