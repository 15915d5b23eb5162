"""A comparison of runs as a page to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyscrai.cli.charts import change_text, money, number, sparkline, value_text
from pyscrai.cli.differing import name_of
from pyscrai.cli.paper import Paper
from pyscrai.cli.prose import fill
from pyscrai.cli.tables import table
from pyscrai.contract.comparisons import ComparedMetric, ComparedMove, Comparison
from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.scenario import readable


def show(paper: Paper, found: Comparison) -> None:
    """The whole page: runs, metrics, moves, facts, coalitions."""
    names = _names(found)
    _runs(paper, found, names)
    if found.metrics:
        paper.rule("Metrics")
        rows = [row for metric in found.metrics for row in _metric(paper, metric, names)]
        table(paper, ["metric", "run", "over the turns", "latest", "difference"], rows)
    if found.moves:
        paper.rule("Moves")
        _moves(paper, found, names)
    if found.facts:
        last = max(one.turn for one in found.facts)
        paper.rule(f"Facts that differ after turn {last}")
        rows = [[one.name, *(_text(value) for value in one.values)] for one in found.facts if one.turn == last]
        table(paper, ["fact", *names], rows)
    if found.coalitions:
        paper.rule(f"Coalitions after turn {found.coalitions[-1].turn}")
        for name, standing in zip(names, found.coalitions[-1].standing, strict=True):
            told = "; ".join(f"{one}: {', '.join(members)}" for one, members in (standing or {}).items())
            paper.block(name, fill(told or "none", paper.right, paper.glyphs))


def _names(found: Comparison) -> list[str]:
    """`run-003`, or with its scenario where the runs are of several."""
    several = len({run.scenario for run in found.runs}) > 1
    return [name_of(run) if several else run.label for run in found.runs]


def _runs(paper: Paper, found: Comparison, names: Sequence[str]) -> None:
    paper.set_names(names)
    rows = []
    for name, run in zip(names, found.runs, strict=True):
        outcome = (run.outcome or run.status).replace("_", " ")
        came = "" if run.branch_of is None else f"branch of {run.branch_of.label} after turn {run.branch_of.turn}"
        rows.append([name, outcome, str(run.turns), money(run.spent), str(run.model_calls), str(run.seed), came])
    table(paper, ["run", "outcome", "turns", "cost", "calls", "seed", ""], rows, right={2, 3, 4, 5})
    if found.shared_turns:
        paper.line(f"The same in all of them: the first {found.shared_turns} of {len(found.turns)} turns.", "dim")


def _metric(paper: Paper, metric: ComparedMetric, names: Sequence[str]) -> list[list[str]]:
    """A row for each run; bars of all runs on one scale, so that they can be held against each other."""
    title = metric.name if metric.seat is None else f"{metric.name} of {readable(metric.seat)}"
    plain = [
        [one for one in row if isinstance(one, int | float) and not isinstance(one, bool)] for row in metric.values
    ]
    every = [one for row in plain for one in row]
    bounds = (min(every), max(every)) if every else None
    rows = []
    latest: list[Any] = [next((one for one in reversed(row) if one is not None), None) for row in metric.values]
    for place, name in enumerate(names):
        shown = "none" if latest[place] is None else f"{value_text(latest[place])} {metric.unit}".rstrip()
        row = [title if place == 0 else "", name, sparkline(plain[place], paper.glyphs, bounds), shown]
        rows.append([*row, "" if place == 0 else _difference(metric, latest, place)])
    return rows


def _difference(metric: ComparedMetric, latest: Sequence[Any], place: int) -> str:
    minus = metric.difference[place]
    if minus is not None:
        return f"{'+' if minus > 0 else ''}{number(minus)}" if minus else "the same"
    if latest[place] is None or latest[0] is None:
        return ""
    return change_text(latest[0], latest[place]).replace("was", "not").replace("no change", "the same")


def _moves(paper: Paper, found: Comparison, names: Sequence[str]) -> None:
    """For each seat: how alike its moves were, and the first ones that differ side by side."""
    for seat in dict.fromkeys(one.seat for one in found.moves):
        own = [one for one in found.moves if one.seat == seat]
        first = found.first_move.get(seat)
        if first is None:
            paper.line(f"{readable(seat)}: the same in every turn", "bold")
            continue
        paper.line(f"{readable(seat)}: differs from turn {first} on ({_alike(own, names)})", "bold")
        for name, text in zip(names, next(one for one in own if one.turn == first).texts, strict=True):
            paper.block(name, fill(text or "nothing", paper.right, paper.glyphs), "")


def _alike(moves: Sequence[ComparedMove], names: Sequence[str]) -> str:
    """`run-002 is 62 % alike, 410 characters a move`: over all turns, the first run's words against each other's."""
    told = []
    for place, name in enumerate(names):
        alike = [one.likeness[place] for one in moves if one.likeness[place] is not None]
        lengths = [one.lengths[place] for one in moves if one.lengths[place] is not None]
        if place and alike:
            share = sum(value for value in alike if value is not None) / len(alike)
            size = sum(value for value in lengths if value is not None) / len(lengths)
            told.append(f"{name}: {share:.0%} alike, {size:.0f} characters a move")
    return "; ".join(told) or "nobody else moved"


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else canonical(normalise(value))
