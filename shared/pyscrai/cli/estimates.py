"""An estimate as a page, and in two lines."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pyscrai.cli.charts import bar, count, money
from pyscrai.cli.paper import Paper
from pyscrai.cli.tables import table
from pyscrai.contract.estimates import Estimate, EstimateLine, Spread

BAR_WIDTH = 20


def page(paper: Paper, told: Estimate) -> None:
    """The whole estimate: what it comes to, where it goes, how sure it is."""
    paper.rule(f"{told.title}: {count(told.turns, 'turn')}, {_calls(told)}", "bold")
    facts = [
        ("cost", _cost(told)),
        ("input tokens", _range(told.input_tokens)),
        ("output tokens", _range(told.output_tokens)),
    ]
    if told.at_most is not None:
        facts.append(("at most", f"{money(told.at_most)}, with every answer as long as it may be, and repaired once"))
        facts.append(("limit", _limit(told)))
    paper.facts(facts)
    for part, lines in told.by.items():
        paper.blank()
        _table(paper, part, lines)
    paper.blank()
    for line in (*(f"The calls: {why}." for why in told.why), *(f"{_capital(note)}." for note in told.notes)):
        paper.lines(paper.filled(line, "dim", paper.width))
    paper.lines(paper.filled(_basis(told), "dim", paper.width))


def in_short(told: Estimate) -> Iterator[tuple[str, str]]:
    """(line, style): what it will come to, and a warning where the limit will not do. Nothing where all is free."""
    if told.at_most is None:
        return
    yield f"Estimate: {_calls(told)}, {_cost(told)}; at most {money(told.at_most)}, limit {money(told.limit)}", "dim"
    if told.limit is not None and told.cost.expected > told.limit:
        yield (
            "The limit is below what this is expected to cost: the run will pause there, and go on with more.",
            "yellow",
        )
    elif told.limit is not None and told.cost.high > told.limit:
        yield "The limit may not be enough: the run would pause there, and go on with more.", "dim"


def _calls(told: Estimate) -> str:
    calls = told.calls
    if told.exact or calls.low == calls.high:
        return count(calls.expected, "model call")
    return f"{calls.expected:,} model calls ({calls.low:,} to {calls.high:,})"


def _cost(told: Estimate) -> str:
    cost = told.cost
    if told.at_most is None:
        return "free"
    return f"{money(cost.expected)} ({money(cost.low)} to {money(cost.high)}, nine times of ten)"


def _range(spread: Spread) -> str:
    if spread.low == spread.high:
        return f"{spread.expected:,}"
    return f"{spread.expected:,} ({spread.low:,} to {spread.high:,})"


def _limit(told: Estimate) -> str:
    if told.limit is None:
        return "none"
    enough = "" if told.cost.high <= told.limit else ", which may not be enough"
    return f"{money(told.limit)}{enough}"


def _table(paper: Paper, part: str, lines: list[EstimateLine]) -> None:
    most = max((line.cost for line in lines), default=Decimal(0))
    rows = [
        [
            line.key,
            f"{line.calls.expected:,}" if line.calls.low == line.calls.high else _span(line.calls),
            f"{line.input_tokens:,}",
            f"{line.output_tokens:,}",
            money(line.cost),
            bar(float(line.cost / most), BAR_WIDTH, paper.glyphs) if most else "",
        ]
        for line in lines
    ]
    table(paper, (part, "calls", "in", "out", "cost", ""), rows, right=range(1, 5))


def _span(calls: Spread) -> str:
    return f"{calls.expected:,} ({calls.low:,}-{calls.high:,})"


def _basis(told: Estimate) -> str:
    if told.at_most is None:
        return "No model of it costs anything."
    if not told.calibration:
        return "No run was paid for here with these models yet: lengths of answers are assumed."
    calls = sum(one.calls for one in told.calibration)
    tokens = sum(one.output_tokens * one.calls for one in told.calibration) / calls
    ratio = sum(one.tokens_per_byte * one.calls for one in told.calibration) / calls
    return (
        f"From {count(calls, 'paid call')} of these models here: {tokens:.0f} tokens an answer, {ratio:.3f} tokens for "
        "each byte of a request's bound."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
