"""What an author's own steps and event types bring into a play: reports, and further fields of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from pyscrai.cli.notices import as_text
from pyscrai.cli.paper import Paper
from pyscrai.cli.prose import fill
from pyscrai.domain.entry import Entry
from pyscrai.domain.scenario import readable


def report_lines(paper: Paper, entry: Entry) -> list[Text]:
    """What the analyst reports."""
    lines = paper.filled(str(entry.body.get("summary") or ""))
    findings = entry.body.get("findings")
    for found in findings if isinstance(findings, list) else []:
        lines += fill(f"- {as_text(found)}", paper.right, paper.glyphs)
    return lines + field_lines(paper, entry)


def field_lines(paper: Paper, entry: Entry) -> list[Text]:
    """The further fields of an answer, which an author's own step or event type has asked for."""
    return _pairs(paper, entry.body.get("fields"), "cyan")


def _pairs(paper: Paper, values: Any, style: str) -> list[Text]:
    lines: list[Text] = []
    for name, value in values.items() if isinstance(values, Mapping) else ():
        lines += fill(f"{readable(str(name))}: {as_text(value)}", paper.right, paper.glyphs, style)
    return lines
