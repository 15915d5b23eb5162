"""What a seat asks of its own systems, and what they answer: quiet lines beside what is said aloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from pyscrai.cli.notices import as_text
from pyscrai.cli.paper import Paper
from pyscrai.cli.prose import fill, one_line

LONGEST = 16
"""Lines of an answer that are shown; the log and the export keep all of them."""
STYLE_OF_END = {"success": "bold green", "failure": "bold red"}


def call_lines(body: Mapping[str, Any], paper: Paper) -> list[Text]:
    """`asks policy_manual (subject: evidence)`."""
    asked = body.get("input")
    parts = [f"{name}: {as_text(value)}" for name, value in asked.items()] if isinstance(asked, Mapping) else []
    told = f" ({'; '.join(parts)})" if parts else ""
    return fill(one_line(f"asks {body.get('tool')}{told}"), paper.right, paper.glyphs, "cyan")


def result_lines(body: Mapping[str, Any], paper: Paper) -> list[Text]:
    """The answer, set in from what is said; the documents that came with it; and whether this was the end."""
    answer = fill(str(body.get("content") or "(no answer)"), paper.right - 2, paper.glyphs, "dim")
    lines = [line for line in answer if line.plain.strip()]
    if len(lines) > LONGEST:
        lines = [*lines[: LONGEST - 1], Text(f"{paper.glyphs.ellipsis} {len(lines) - LONGEST + 1} more lines", "dim")]
    lines += document_lines(body, paper.right - 2, paper)
    if body.get("ends"):
        ends = str(body["ends"])
        style = STYLE_OF_END.get(ends, "bold")
        lines += fill(f"This ends the conversation: {ends}", paper.right - 2, paper.glyphs, style)
    return [Text("  ") + line for line in lines]


def document_lines(body: Mapping[str, Any], width: int, paper: Paper) -> list[Text]:
    """A line for each document that goes with an entry."""
    documents = body.get("documents")
    listed = documents if isinstance(documents, list) else []
    return [line for one in listed for line in fill(_document(one), width, paper.glyphs, "dim cyan")]


def _document(document: Any) -> str:
    about = document if isinstance(document, Mapping) else {}
    size = f", {about['size']:,} bytes" if isinstance(about.get("size"), int) else ""
    left_out = ", too large to be kept" if about.get("left_out") else ""
    return f"document: {about.get('title')} ({about.get('content_type')}{size}{left_out})"
