"""Benchmarks for people: on the screen, and as a table in a page that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pyscrai.cli.benchmark.figures import Figures
from pyscrai.cli.charts import count, money, seconds
from pyscrai.cli.paper import Paper

MARK = "benchmark"


def show(paper: Paper, figures: Figures) -> None:
    """One scenario's figures."""
    latency = f", {seconds(figures.latency)} of latency" if figures.latency else ""
    paper.rule(
        f"{figures.scenario}: {figures.policy}, {count(figures.seats, 'seat')}, {figures.model}{latency}", "bold"
    )
    paper.facts(list(_lines(figures)))
    paper.blank()


def _lines(figures: Figures) -> list[tuple[str, str]]:
    played = f"{count(figures.runs, 'run')} of {count(figures.turns, 'turn')}"
    lines = [
        (
            "Average turn time",
            f"{figures.turn_average:.3f} s ({figures.turn_min:.3f} to {figures.turn_max:.3f} s; {played})",
        ),
        ("P95 turn time", f"{figures.turn_p95:.3f} s"),
        ("Model calls", f"{figures.calls_per_turn:.1f} a turn"),
        ("Cost per turn", money(figures.cost_per_turn)),
        ("Whole play", f"{figures.play:.2f} s"),
        ("Command answers", f"after {figures.start_command:.2f} s"),
        (
            "API is ready",
            f"after {figures.start_api:.2f} s; the first turn was played after {figures.first_turn:.2f} s",
        ),
    ]
    return [*lines, ("Memory peak", _memory(figures))]


def _memory(figures: Figures) -> str:
    if figures.memory is None:
        return "not measured: the API was started by somebody else"
    parts = ", ".join(f"{kind} {size:.0f}" for kind, size in figures.memory_of.items())
    return f"{figures.memory:.0f} MB in all ({parts})"


def write_into(page: Path, mark: str, machine: Mapping[str, Any], all_of: Sequence[Figures]) -> None:
    """Replace what stands between `<!-- mark -->` and `<!-- /mark -->`. Raises ClickException where they are not."""
    first, last = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    text = page.read_text("utf-8")
    before, start, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not start or not end:
        raise click.ClickException(f"{page} has no {first} … {last} to write between")
    page.write_text(f"{before}{first}\n{markdown(machine, all_of)}{last}{after}", "utf-8")


def markdown(machine: Mapping[str, Any], all_of: Sequence[Figures]) -> str:
    """The machine, and a row for each scenario."""
    where = f"{machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}, Python {machine['python']}"
    about = f"{machine['processor']}, {where}, load {machine['load']}"
    heads = (
        *("scenario", "plays", "latency", "turn, average", "turn, p95", "whole play", "calls a turn", "cost a turn"),
        *("start of the command", "API ready", "memory, in all", "memory, by process (MB)"),
    )
    lines = [f"Machine: {about}. Latency is the model's, per call.", "", _row(heads), _row(["---"] * len(heads))]
    return "\n".join([*lines, *(_row(_cells(figures)) for figures in all_of)]) + "\n"


def _cells(figures: Figures) -> list[str]:
    listed = ((figures.seats, "seat"), (figures.metrics, "metric"), (figures.checks, "check"))
    parts = [count(number, noun) for number, noun in listed if number]
    return [
        f"{figures.scenario} ({', '.join(parts)})",
        f"{figures.runs} × {count(figures.turns, 'turn')}",
        f"{figures.latency:g} s",
        f"{figures.turn_average:.3f} s",
        f"{figures.turn_p95:.3f} s",
        f"{figures.play:.2f} s",
        f"{figures.calls_per_turn:.1f}",
        money(figures.cost_per_turn),
        f"{figures.start_command:.2f} s",
        f"{figures.start_api:.2f} s",
        "not measured" if figures.memory is None else f"{figures.memory:.0f} MB",
        ", ".join(f"{kind} {size:.0f}" for kind, size in figures.memory_of.items()),
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
