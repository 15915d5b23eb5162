"""The line at the bottom of a terminal that says what a run is waiting for, for how long, and what it has cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pyscrai.cli.charts import money, seconds
from pyscrai.cli.paper import Paper
from pyscrai.cli.prose import clip

REFRESH_PER_SECOND = 5


class StatusLine:
    """Redrawn in place until it is closed; lines printed meanwhile go above it."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._doing = ""
        self._since = time.monotonic()
        self._answers = ""
        self._money = ""
        self._waits = ""

    @property
    def dot(self) -> str:
        """What parts of the line are joined with."""
        return self._paper.glyphs.dot

    def doing(self, text: str) -> None:
        """What is waited for; its clock starts anew only where that is something else."""
        if text != self._doing:
            self._doing, self._since = text, time.monotonic()

    def progress(self, *, open_events: int | None, cost: Decimal | None, limit: Decimal | None) -> None:
        """How many answers are still missing, and the money."""
        self._answers = f"{open_events} answers to come" if open_events and open_events > 1 else ""
        self.spent(cost, limit)

    def spent(self, cost: Decimal | None, limit: Decimal | None) -> None:
        """What is spent by now; None leaves what was said before."""
        if cost is not None:
            self._money = f"{money(cost)} of {money(limit)}" if limit is not None else money(cost)

    def waits(self, text: str) -> None:
        """What keeps the run from going on, if anything does: it has not died."""
        self._waits = text

    def __rich__(self) -> Text:
        if not self._doing:
            return Text()
        frames = self._paper.glyphs.spinner
        waited = time.monotonic() - self._since
        frame = frames[int(waited * 10) % len(frames)]
        parts = [part for part in (self._waits, self._answers, self._money) if part]
        tail = "".join(f" {self._paper.glyphs.dot} {part}" for part in parts)
        text = f"{frame} {self._doing} {self._paper.glyphs.ellipsis} {seconds(waited)}{tail}"
        return Text(clip(text, self._paper.width - 2, self._paper.glyphs), "dim")


@contextmanager
def status_line(paper: Paper, *, shown: bool) -> Iterator[StatusLine]:
    """A status line on this paper's terminal; one that nobody sees where `shown` is false."""
    line = StatusLine(paper)
    if not shown:
        yield line
        return
    console: Console = paper.console
    with Live(
        line,
        console=console,
        transient=True,
        refresh_per_second=REFRESH_PER_SECOND,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield line
