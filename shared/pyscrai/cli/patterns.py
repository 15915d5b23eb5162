"""The patterns of a run as a page, and beside the words of a report at the end of `runs show`."""

from __future__ import annotations

from rich.text import Text

from pyscrai.cli.charts import sparkline, value_text
from pyscrai.cli.paper import Paper
from pyscrai.cli.playbill import Gauge, Playbill
from pyscrai.cli.prose import fill, one_line
from pyscrai.domain.patterns import Patterns
from pyscrai.domain.scenario import readable

MOST_LINKS = 12


def show(paper: Paper, bill: Playbill, found: Patterns) -> None:
    """Turning points, links between seats, positions of seats over the turns. Says so where there is none of them."""
    if not (found.turning_points or found.links or found.positions):
        paper.line("There are no patterns yet: no metric has moved, nobody has written, nothing has happened.")
        return
    if found.turning_points:
        paper.rule("Turning points, counted", "bold")
        paper.blank()
        for point in found.turning_points:
            whose = f" ({bill.seat(point.seat)})" if point.seat else ""
            text = f"- turn {point.turn}: {one_line(point.what)}{whose}"
            paper.lines(Text("  ") + line for line in fill(text, paper.width - 2, paper.glyphs))
    if found.links:
        paper.rule("Who moved whom, counted", "bold")
        paper.blank()
        for link in found.links[:MOST_LINKS]:
            names = f"- {bill.seat(link.source)} {paper.glyphs.arrow} {bill.seat(link.target)}: {link.told()}"
            paper.lines(Text("  ") + line for line in fill(names, paper.width - 2, paper.glyphs))
    _positions(paper, bill, found)


def _positions(paper: Paper, bill: Playbill, found: Patterns) -> None:
    for position in found.positions:
        paper.rule(f"{readable(position.metric.replace('_', ' '))}, by seat", "bold")
        paper.blank()
        bounds = bill.gauges.get(position.metric, Gauge()).bounds
        for seat, values in position.seats.items():
            numbers = [float(v) for _, v in values if isinstance(v, int | float) and not isinstance(v, bool)]
            last = values[-1][1] if values else None
            shown = value_text(last) if isinstance(last, bool | int | float | str) else ""
            paper.block(bill.seat(seat), [Text(f"{sparkline(numbers, paper.glyphs, bounds)} {shown}".strip())])
