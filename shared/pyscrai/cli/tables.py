"""Lists as aligned columns: the last one takes what is left of the line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text

from pyscrai.cli.paper import Paper
from pyscrai.cli.prose import clip

GAP = 2


def table(
    paper: Paper,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    styles: Mapping[str, str] | None = None,
    right: Collection[int] = (),
) -> None:
    """A line of heads and a line for each row. Cells longer than there is room for end in an ellipsis; `styles`
    colours a cell that says exactly that; columns whose number is in `right` stand to the right, as numbers do."""
    wide = [max(cell_len(row[n]) for row in [heads, *rows]) for n in range(len(heads))]
    last = len(heads) - 1
    # The first column is the one that names things: it gives way only to leave ten cells for the last.
    wide[0] = min(wide[0], max(16, paper.width - sum(wide[1:last]) - GAP * last - 10))
    for number, row in enumerate([heads, *rows]):
        line = Text()
        for n, cell in enumerate(row):
            room = wide[n] if n < last else max(6, paper.width - line.cell_len)
            text = clip(cell, room, paper.glyphs)
            style = "dim" if number == 0 else (styles or {}).get(cell, "")
            space = " " * (room - cell_len(text))
            line.append((space + text if n in right else text + space) + " " * (GAP if n < last else 0), style)
        line.rstrip()
        paper.line(line)


def when(text: str) -> str:
    """`2026-11-20 09:30`: an API time, in UTC, to the minute."""
    return text[:16].replace("T", " ")
