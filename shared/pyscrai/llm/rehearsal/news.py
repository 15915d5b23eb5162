"""What has come from outside since a turn began, as people take it up."""

from __future__ import annotations

from pyscrai.llm.rehearsal.reading import Sheet
from pyscrai.llm.rehearsal.table import core
from pyscrai.llm.rehearsal.words import bare, cut

TOLD = (
    "“{news}”: {i} cannot act as if that had not happened",
    "Since this morning everything looks different, for “{news}”",
    "{I} begin with what nobody here planned: “{news}”",
    "Before {i} answer anybody, this comes first: “{news}”",
)
"""How a decision begins with it."""


def latest(sheet: Sheet) -> str:
    """The heart of the latest news of this turn; empty where there is none."""
    return cut(bare(core(sheet.news[-1], 120)), 160) if sheet.news else ""
