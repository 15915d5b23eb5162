"""The difference of two runs as a page to read: what was, marked with -, and what is instead, marked with +."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from pyscrai.cli.paper import Paper
from pyscrai.cli.prose import fill
from pyscrai.contract.comparisons import ComparedRun, Difference, DifferingTurn
from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.scenario import readable

MARKS = (("-", "red"), ("+", "green"))

WORDS = ("action", "text", "narrative", "thought", "summary")
"""What an entry says is in one of these."""


def show(paper: Paper, found: Difference) -> None:
    """The whole page."""
    for (mark, style), run in zip(MARKS, found.runs, strict=True):
        paper.line(Text(f"{mark} {name_of(run)}  {(run.outcome or run.status).replace('_', ' ')}", style))
    if found.same:
        paper.line(f"Both tell the same story, entry by entry: {found.shared} of them.")
        return
    paper.line(f"They share the first {found.shared} entries of their stories, then part:")
    for (mark, style), entry in zip(MARKS, found.first, strict=True):
        told = "the log ends" if entry is None else f"{entry.seq}, turn {entry.turn}: {entry.kind} {_said(entry.body)}"
        _marked(paper, mark, style, told)
    for turn in found.turns:
        _turn(paper, turn)


def name_of(run: ComparedRun) -> str:
    return f"{run.scenario}/{run.label}"


def _turn(paper: Paper, turn: DifferingTurn) -> None:
    paper.rule(f"Turn {turn.turn}")
    for seat, texts in turn.moves.items():
        _pair(paper, readable(seat), texts)
    if turn.world is not None:
        _pair(paper, "World", turn.world)
    for title, values in _named(turn):
        _pair(paper, title, values)
    if turn.coalitions is not None:
        _pair(paper, "Coalitions", [_standing(one) for one in turn.coalitions])


def _named(turn: DifferingTurn) -> Iterator[tuple[str, Sequence[Any]]]:
    for name, values in turn.facts.items():
        yield f"Fact {name}", values
    for name, values in turn.metrics.items():
        yield f"Metric {name}", values


def _pair(paper: Paper, title: str, values: Sequence[Any]) -> None:
    paper.line(Text(title, "bold"))
    for (mark, style), value in zip(MARKS, values, strict=True):
        _marked(paper, mark, style, "nothing" if value is None else _text(value))


def _marked(paper: Paper, mark: str, style: str, text: str) -> None:
    for place, line in enumerate(fill(text, paper.width - 4, paper.glyphs)):
        paper.line(Text(f"  {mark if place == 0 else ' '} ", style) + line)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(normalise(value))


def _said(body: Mapping[str, Any]) -> str:
    """An entry in its own words, where it has some."""
    words = next((body[key] for key in WORDS if isinstance(body.get(key), str) and body[key]), None)
    return _text(body) if words is None else str(words)


def _standing(coalitions: Mapping[str, Sequence[str]] | None) -> str | None:
    if coalitions is None:
        return None
    return "; ".join(f"{name}: {', '.join(members)}" for name, members in coalitions.items()) or "none"
