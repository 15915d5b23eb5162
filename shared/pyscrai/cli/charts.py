"""Numbers for people: money, durations, values, and series as one line of bars."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pyscrai.cli.glyphs import Glyphs

Value = float | int | str | bool
MAX_BARS = 24


def sparkline(values: Sequence[float], glyphs: Glyphs, bounds: tuple[float, float] | None = None) -> str:
    """A bar per value, the latest `MAX_BARS`; scaled to `bounds`, else to the lowest and highest value."""
    shown = list(values)[-MAX_BARS:]
    if not shown:
        return ""
    low, high = bounds or (min(shown), max(shown))
    top = len(glyphs.bars) - 1
    if high <= low:
        return glyphs.bars[top // 2] * len(shown)
    return "".join(glyphs.bars[round((min(max(v, low), high) - low) / (high - low) * top)] for v in shown)


def number(value: float | int) -> str:
    """`0.42`, `72`, `12,500`, `1e+25`: at most four digits that mean something."""
    if isinstance(value, int) or float(value).is_integer():
        whole = int(value)
        return f"{whole:,}" if abs(whole) < 10_000_000 else f"{whole:.4g}"
    size = abs(value)
    return f"{value:.4g}" if size < 0.001 or size >= 1000 else f"{value:.3f}".rstrip("0").rstrip(".")


def value_text(value: Value) -> str:
    """A measured value as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else number(value)


def change_text(before: Value | None, now: Value) -> str:
    """What has changed: `+0.08`, `no change`, `was public`; empty where there was nothing before."""
    if before is None:
        return ""
    if before == now:
        return "no change"
    if isinstance(before, str | bool) or isinstance(now, str | bool):
        return f"was {value_text(before)}"
    return f"{'+' if now > before else '-'}{number(_plain(abs(now - before)))}"


def _plain(value: float) -> float:
    """0.4300000000000001 is 0.43."""
    return float(f"{value:.10g}")


def money(amount: Decimal | None) -> str:
    """Dollars: cents, or as many places as the first two digits of a smaller amount need."""
    if amount is None:
        return "no limit"
    if amount == 0 or amount >= Decimal("0.995"):
        return f"${amount:,.2f}"
    places = 2
    while places < 10 and amount < Decimal(10) ** (1 - places):
        places += 1
    return f"${amount:.{places}f}"


def seconds(value: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `1 h 02 min`."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def bar(share: float, width: int, glyphs: Glyphs) -> str:
    """A horizontal bar; at least one sign where the share is above zero."""
    return glyphs.bar * (max(1, round(share * width)) if share > 0 else 0)


def count(number_of: int, noun: str) -> str:
    """`1 turn`, `3 turns`."""
    return f"{number_of:,} {noun}{'' if number_of == 1 else 's'}"
