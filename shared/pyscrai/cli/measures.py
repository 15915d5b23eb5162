"""The metrics of a run as series, drawn as rows: name, bars, value, what has changed."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from pyscrai.cli.charts import MAX_BARS, Value, change_text, sparkline, value_text
from pyscrai.cli.paper import Paper
from pyscrai.cli.playbill import Gauge, Playbill
from pyscrai.cli.prose import clip
from pyscrai.domain.scenario import readable

Key = tuple[str, str | None]


class Measures:
    """(metric, seat) → its (turn, value) points, in the order in which they first came."""

    def __init__(self, bill: Playbill) -> None:
        self._bill = bill
        self._series: dict[Key, list[tuple[int, Value]]] = {}

    def add(self, metric: str, seat: str | None, turn: int, value: Value) -> None:
        self._series.setdefault((metric, seat), []).append((turn, value))

    def rows_of_turn(self, turn: int, paper: Paper) -> list[Text]:
        """What was measured in this turn, against the measurement before."""
        fresh = {key: points for key, points in self._series.items() if points[-1][0] == turn}
        return self._rows(
            {key: (points, points[-2][1] if len(points) > 1 else None) for key, points in fresh.items()}, paper
        )

    def rows_of_run(self, paper: Paper) -> list[Text]:
        """Everything that was measured, the last value against the first."""
        all_of = {key: (points, points[0][1] if len(points) > 1 else None) for key, points in self._series.items()}
        return self._rows(all_of, paper)

    def _rows(self, series: dict[Key, tuple[list[tuple[int, Value]], Value | None]], paper: Paper) -> list[Text]:
        bars = {key: self._bars(key, [value for _, value in points], paper) for key, (points, _) in series.items()}
        wide = max((cell_len(bar) for bar in bars.values()), default=0)
        names = {key: self._name(key, max(6, paper.right - wide - 24), paper) for key in series}
        left = max((cell_len(name) for name in names.values()), default=0)
        rows = []
        for key, (points, before) in series.items():
            row = Text(names[key] + " " * (left - cell_len(names[key]) + 2))
            row.append(bars[key] + " " * (wide - cell_len(bars[key]) + (2 if wide else 0)), "cyan")
            row.append_text(self._value(key, points[-1][1], before, paper, paper.right - row.cell_len))
            row.rstrip()
            rows.append(row)
        return rows

    def _value(self, key: Key, now: Value, before: Value | None, paper: Paper, room: int) -> Text:
        unit = self._gauge(key).unit
        shown = f"{value_text(now)}{f' {unit}' if unit and not isinstance(now, str | bool) else ''}"
        text = Text(clip(shown, max(4, room), paper.glyphs), "bold")
        change = change_text(before, now)
        if change and text.cell_len + 2 + cell_len(change) <= room:
            text.append(f"  {change}", "not bold dim")
        return text

    def _bars(self, key: Key, values: list[Value], paper: Paper) -> str:
        if any(isinstance(value, str) for value in values):
            return ""
        plain = [float(value) for value in values if not isinstance(value, str)]
        truths = all(isinstance(value, bool) for value in values)
        return sparkline(plain[-MAX_BARS:], paper.glyphs, (0.0, 1.0) if truths else self._gauge(key).bounds)

    def _gauge(self, key: Key) -> Gauge:
        return self._bill.gauges.get(key[0], Gauge())

    def _name(self, key: Key, room: int, paper: Paper) -> str:
        metric, seat = key
        name = readable(metric.replace("_", " "))
        return clip(f"{name}, {self._bill.seat(seat)}" if seat else name, room, paper.glyphs)
