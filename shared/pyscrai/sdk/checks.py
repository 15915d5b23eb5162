"""How checks are read: what counts as inconsistent, and what was done about it."""

from __future__ import annotations

from pyscrai.domain.disclosure import is_disclosure, is_usual

DONE_ABOUT = {"reask": "asked again", "halt": "the run stands still", "warn": "warning"}
"""What happened because of a check that found something, by its `action`."""

__all__ = ["DONE_ABOUT", "is_disclosure", "is_usual"]
