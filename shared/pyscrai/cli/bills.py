"""Costs and prices as tables, with a bar for each share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from rich.cells import cell_len

from pyscrai.cli.charts import bar, count, money
from pyscrai.cli.paper import Paper
from pyscrai.cli.prose import fill
from pyscrai.cli.tables import GAP, table
from pyscrai.contract.costs import CostLine, Costs, ModelPriceInfo, RunCosts
from pyscrai.domain.choices import Price, Rates

BAR_WIDTH, NARROWEST_BAR = 20, 4
NOBODYS = {"scenario": "(events without a run)", "group": "(no group)"}
"""What an empty key means."""
_PARTS = ("cached_input", "cache_write", "reasoning")
Column = tuple[str, Callable[[CostLine], str]]
_ALWAYS: tuple[Column, ...] = (
    ("calls", lambda line: f"{line.calls:,}"),
    ("in", lambda line: f"{line.input_tokens:,}"),
    ("out", lambda line: f"{line.output_tokens:,}"),
)
_WHERE_THERE_IS_SOME: tuple[tuple[str, Callable[[CostLine], int | Decimal], Callable[[CostLine], str]], ...] = (
    ("cached", lambda line: line.cached_tokens, lambda line: f"{line.cached_tokens:,}"),
    ("reasoning", lambda line: line.reasoning_tokens, lambda line: f"{line.reasoning_tokens:,}"),
    ("free", lambda line: line.replayed + line.cached, lambda line: f"{line.replayed + line.cached:,}"),
    ("assumed", lambda line: line.assumed, lambda line: money(line.assumed_cost) if line.assumed else ""),
    ("reserved", lambda line: line.open, lambda line: money(line.reserved) if line.open else ""),
)


def run_costs(paper: Paper, name: str, costs: RunCosts) -> None:
    """A table for each breakdown of a run."""
    limit = "" if costs.limit is None else f" of {money(costs.limit)}"
    paper.rule(f"{name}: {money(costs.spent)}{limit}, {count(costs.total.calls, 'model call')}", "bold")
    for part, lines in costs.by.items():
        paper.blank()
        cost_table(paper, part, lines, costs.total)
    remarks(paper, costs.total)


def installation_costs(paper: Paper, costs: Costs) -> None:
    """What an installation, or one user of it, has spent."""
    whose = "everybody" if costs.owner is None else costs.owner
    paper.rule(
        f"Since {costs.since} ({whose}): {money(costs.total.cost)}, {count(costs.total.calls, 'model call')}", "bold"
    )
    paper.blank()
    cost_table(paper, costs.by, costs.lines, costs.total)
    if costs.more:
        paper.line("There is more; ask for more lines with --number.", "dim")
    remarks(paper, costs.total)


def cost_table(paper: Paper, part: str, lines: Sequence[CostLine], total: CostLine) -> None:
    """Calls, tokens in and out, cost; a row for each line. Columns that would say nothing anywhere are left out."""
    columns = [*_ALWAYS, *((head, show) for head, has, show in _WHERE_THERE_IS_SOME if has(total))]
    heads = [part, *(head for head, _ in columns), "cost"]
    rows = [
        [line.key or NOBODYS.get(part, ""), *(show(line) for _, show in columns), money(line.cost)] for line in lines
    ]
    taken = sum(max(cell_len(row[n]) for row in [heads, *rows]) + GAP for n in range(len(heads)))
    room = min(BAR_WIDTH, paper.width - taken)
    most = max((line.cost for line in lines), default=Decimal(0))
    if most and room >= NARROWEST_BAR:
        heads = [*heads, ""]
        rows = [[*row, bar(float(one.cost / most), room, paper.glyphs)] for row, one in zip(rows, lines, strict=True)]
    table(paper, heads, rows, right=range(1, len(heads) - 1))


def remarks(paper: Paper, total: CostLine) -> None:
    """What a reader has to know to read the numbers."""
    said = []
    if total.assumed:
        said.append(f"{count(total.assumed, 'call')} charged at the upper bound, because nobody knows what was used.")
    if total.open:
        said.append(f"{count(total.open, 'call')} under way, with {money(total.reserved)} put aside.")
    if total.replayed or total.cached:
        said.append(f"{count(total.replayed + total.cached, 'answer')} from a recording or the cache, for nothing.")
    if said:
        paper.blank()
    for remark in said:
        paper.lines(fill(remark, paper.width, paper.glyphs, "dim"))


def price_table(paper: Paper, prices: Iterable[ModelPriceInfo]) -> None:
    """Prices per million tokens and who says so; then what to do about the unknown ones."""
    listed = list(prices)
    known = [info for info in listed if info.price is not None]
    if known:
        lists = sorted({info.version for info in known if info.version})
        paper.line(f"US dollars per million tokens{'; published: ' if lists else ''}{', '.join(lists)}", "dim")
        heads, rows = _price_rows(known)
        table(paper, heads, rows, right=range(1, len(heads) - 1))
    for info in listed:
        if info.price is None and info.how_to_declare:
            paper.blank()
            paper.lines(paper.filled(info.how_to_declare, "yellow", paper.width))


def _price_rows(known: Sequence[ModelPriceInfo]) -> tuple[list[str], list[list[str]]]:
    parts = [part for part in _PARTS if any(_has(info.price, part) for info in known)]
    per_request = any(info.price is not None and info.price.request for info in known)
    heads = ["model", "input", "output", *(part.replace("_", " ") for part in parts)]
    heads += ["request"] * per_request + ["from"]
    rows = []
    for info in known:
        assert info.price is not None
        request = [_rate(info.price.request)] * per_request
        rows.append([info.model, *_rates(info.price, parts), *request, _source(info)])
        for tier in info.price.tiers:
            rows.append([f"above {tier.above:,} in", *_rates(tier, parts), *([""] * per_request), ""])
    return heads, rows


def _has(price: Price | None, name: str) -> bool:
    return price is not None and any(getattr(rates, name) is not None for rates in (price, *price.tiers))


def _rates(rates: Rates, parts: Iterable[str]) -> list[str]:
    return [_rate(getattr(rates, part)) for part in ("input", "output", *parts)]


def _rate(rate: Decimal | None) -> str:
    return "" if rate is None else f"{rate.normalize():f}"


def _source(info: ModelPriceInfo) -> str:
    if info.source == "published":
        return f"published, {info.dated}"
    return {"run": "declared by the run", "installation": "declared here", "free": "free"}.get(info.source, info.source)
