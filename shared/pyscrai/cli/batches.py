"""A sweep on the screen: how far it is, and its results as tables with small pictures."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyscrai.cli.charts import bar, count, money, seconds
from pyscrai.cli.glyphs import Glyphs
from pyscrai.cli.paper import Paper
from pyscrai.cli.status import StatusLine
from pyscrai.cli.tables import table, when
from pyscrai.cli.talk import Talk
from pyscrai.contract.batches import Batch, BatchResults, Distribution, Share, VariationResult

BAR_WIDTH, BOX_WIDTH = 12, 16
NOTHING = 1e-9
"""Smaller differences are those of adding in another order."""
STEPS = 10
"""Without a terminal a line is said whenever another tenth has ended."""


class Progress:
    """Says how many runs have ended, what they cost, and how long the others will take at this pace."""

    def __init__(self, talk: Talk, status: StatusLine, begun: Batch) -> None:
        self._talk = talk
        self._status = status
        self._began = time.monotonic()
        self._ended = begun.ended
        self._said = -1

    def show(self, batch: Batch) -> None:
        text = f"{batch.ended} of {batch.runs} runs have ended{self._left(batch)}"
        failed = batch.counts.get("failed", 0) + batch.counts.get("refused", 0)
        text += f", {failed} failed" if failed else ""
        self._status.doing(text)
        self._status.spent(batch.spent, batch.budget)
        step = STEPS * batch.ended // max(1, batch.runs)
        if not self._talk.live and not self._talk.json and step != self._said:
            self._said = step
            self._talk.say(f"{text}; {money(batch.spent)}")

    def _left(self, batch: Batch) -> str:
        new = batch.ended - self._ended
        if not new or batch.ended >= batch.runs:
            return ""
        each = (time.monotonic() - self._began) / new
        return f", about {seconds(each * (batch.runs - batch.ended))} to go"


def listed(paper: Paper, found: Sequence[Batch]) -> None:
    """One line for each batch."""
    rows = [
        (one.name, one.scenario, one.status, f"{one.ended}/{one.runs}", money(one.spent), when(one.created_at))
        for one in found
    ]
    table(paper, ("batch", "scenario", "status", "ended", "spent", "since (UTC)"), rows, right={3, 4})


def page(paper: Paper, told: BatchResults) -> None:
    """Outcomes, then a table for each metric, then turns and cost; each variation is a line."""
    batch = told.batch
    budget = "" if batch.budget is None else f" of {money(batch.budget)}"
    paper.rule(f"{batch.title or batch.name}: {batch.ended} of {batch.runs} runs, {money(batch.spent)}{budget}", "bold")
    paper.blank()
    _legend(paper, told.variations)
    _outcomes(paper, told.variations)
    for name in dict.fromkeys(name for one in told.variations for name in one.metrics):
        _distributions(paper, name, told.variations, lambda one, name=name: one.metrics.get(name))  # type: ignore[misc]
    for name in dict.fromkeys(name for one in told.variations for name in one.shares):
        _shares(paper, name, [(one, one.shares.get(name, [])) for one in told.variations])
    _distributions(paper, "turns", told.variations, lambda one: one.turns)
    if batch.spent:
        _distributions(paper, "cost (USD)", told.variations, lambda one: one.cost)
    paper.blank()
    for line in _notes(told):
        paper.lines(paper.filled(line, "dim", paper.width))


def _legend(paper: Paper, variations: Sequence[VariationResult]) -> None:
    """Which variation has which number."""
    paths = list(dict.fromkeys(path for one in variations for path in one.varied))
    rows = [
        [
            str(one.number),
            *(_short(one.varied.get(path)) for path in paths),
            str(one.runs),
            str(one.completed),
            str(one.failed),
        ]
        for one in variations
    ]
    table(paper, ("", *paths, "runs", "completed", "failed"), rows)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 28 else f"{text[:27]}…"


def _outcomes(paper: Paper, variations: Sequence[VariationResult]) -> None:
    _shares(paper, "outcome", [(one, one.outcomes) for one in variations])


def _shares(paper: Paper, name: str, told: Sequence[tuple[VariationResult, list[Share]]]) -> None:
    rows = [
        (
            str(one.number) if place == 0 else "",
            share.value,
            f"{share.n}/{share.of}",
            f"{share.share:.0%}",
            f"{share.interval.low:.0%} to {share.interval.high:.0%}",
            bar(share.share, BAR_WIDTH, paper.glyphs),
        )
        for one, shares in told
        for place, share in enumerate(shares)
    ]
    if rows:
        paper.blank()
        table(paper, ("", name, "n", "share", "95 % (Wilson)", ""), rows, right={2, 3})


def _distributions(
    paper: Paper,
    name: str,
    variations: Sequence[VariationResult],
    of: Callable[[VariationResult], Distribution | None],
) -> None:
    told = [(one, found) for one in variations if (found := of(one)) is not None]
    if not told:
        return
    bounds = min(found.min for _, found in told), max(found.max for _, found in told)
    rows = [_line(one, found, bounds, paper.glyphs) for one, found in told]
    paper.blank()
    paper.line(name, "bold")
    span = f"{digits(bounds[0])} to {digits(bounds[1])}"
    table(paper, ("", "mean", "sd", "median", span, "95 % (t)", "against 1", "n"), rows, right={1, 2, 3})


def _line(one: VariationResult, found: Distribution, bounds: tuple[float, float], glyphs: Glyphs) -> tuple[str, ...]:
    interval = f"{digits(found.interval.low)} to {digits(found.interval.high)}" if found.interval else ""
    against = ""
    if found.change is not None:
        ends = found.change_interval
        within = f" ({_signed(ends.low)} to {_signed(ends.high)})" if ends else ""
        against = f"{_signed(found.change)}{within}"
    n = f"{found.n}" if not found.missing else f"{found.n} ({found.missing} missing)"
    sd = "" if found.sd is None else digits(found.sd)
    drawn = box(found, bounds, glyphs)
    return (str(one.number), digits(found.mean), sd, digits(found.median), drawn, interval, against, n)


def digits(value: float) -> str:
    """Three digits that mean something: a sample seldom has more."""
    if abs(value) < NOTHING:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _signed(value: float) -> str:
    return f"{'+' if value > -NOTHING else '-'}{digits(abs(value))}"


def box(found: Distribution, bounds: tuple[float, float], glyphs: Glyphs) -> str:
    """From the smallest to the largest value; the middle half is thick, the median stands out."""
    low, high = bounds
    if high <= low:
        return glyphs.dot

    def at(value: float) -> int:
        return round((value - low) / (high - low) * (BOX_WIDTH - 1))

    signs = [" "] * BOX_WIDTH
    for place in range(at(found.min), at(found.max) + 1):
        signs[place] = glyphs.rule if glyphs.rule != "=" else "-"
    for place in range(at(found.q1), at(found.q3) + 1):
        signs[place] = glyphs.bars[len(glyphs.bars) // 2]
    signs[at(found.median)] = glyphs.bar
    return "".join(signs).rstrip()


def _notes(told: BatchResults) -> list[str]:
    notes = [
        "Only completed runs count, in cost every run that was started. Means with Student's t, changes with Welch's."
    ]
    still = {status: n for status, n in told.batch.counts.items() if status not in ("completed", "failed", "cancelled")}
    if still:
        notes.append(f"Not all have ended: {', '.join(f'{n} {status}' for status, n in still.items())}.")
    if told.batch.waits_for:
        notes.append(f"It waits: {told.batch.waits_for}.")
    failed = [row for row in told.rows if row.error is not None]
    for row in failed[:5]:
        notes.append(f"{row.run or f'run {row.place}'}: {row.error}")
    if len(failed) > 5:
        notes.append(f"{count(len(failed) - 5, 'run')} more did not end well.")
    return notes


def write_csv(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A line for each run; columns of values that only some have are empty for the others."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns)
        writer.writeheader()
        writer.writerows([{name: _cell(value) for name, value in row.items()} for row in rows])


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is kept from that."""
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@") else text
