"""Money on the page: what a run has used of its limit, and what was spent lately. Every text goes through `escape`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape

from pyscrai.contract.costs import CostLine, Costs
from pyscrai.contract.runs import Run

DAYS = 7
MODELS = 5
NEARLY_ALL = 0.8
"""The share of a limit at which people are warned."""


def dollars(amount: Decimal, places: int = 4) -> str:
    return f"${amount:,.{places}f}" if amount else "$0"


def of_run(run: Run) -> str:
    """What is spent, and where there is a limit, how much of it that is."""
    spent = dollars(run.spent)
    if run.limit is None:
        return spent
    said = f"{spent} <small>of {dollars(run.limit, places=2)}</small>"
    return said + (_share(run.spent, run.limit, warn=True) if run.spent else "")


def lately(by_day: Costs, by_model: Costs) -> str:
    """A section on what was spent in the last days; nothing where nothing was."""
    if not by_day.total.cost:
        return ""
    total = dollars(by_day.total.cost)
    return f"""<section>
<h2>Money: {total} in {DAYS} days</h2>
<div class="money">
{_table("Day", by_day.lines)}
{_table("Model", by_model.lines)}
</div>
</section>
"""


def _table(head: str, lines: Sequence[CostLine]) -> str:
    most = max((line.cost for line in lines), default=Decimal(0))
    rows = "\n".join(
        f"<tr><td>{escape(line.key)}</td><td class=n>{line.calls:,}</td>"
        f"<td class=n>{dollars(line.cost)}{_share(line.cost, most)}</td></tr>"
        for line in lines
    )
    heads = f"<tr><th>{head}</th><th class=n>Calls</th><th class=n>Cost</th></tr>"
    return f"<table>\n<thead>{heads}</thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _share(part: Decimal, whole: Decimal, *, warn: bool = False) -> str:
    """A bar that the browser draws: the page may have no style of an element's own."""
    share = min(1.0, float(part / whole)) if whole else 1.0
    high = f' low="{NEARLY_ALL}" high="{NEARLY_ALL}" optimum="0"' if warn else ""
    return f' <meter value="{share:.3f}"{high}>{share:.0%}</meter>'
