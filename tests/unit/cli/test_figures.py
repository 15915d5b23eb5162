"""Numbers and charts as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pyscrai.cli.charts import change_text, money, number, seconds, sparkline
from pyscrai.cli.glyphs import UNICODE
from pyscrai.cli.prose import clip, fill


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("1", "$1.00"),
        ("1234.5", "$1,234.50"),
        ("0.25", "$0.25"),
        ("0.0042", "$0.0042"),
        (None, "no limit"),
    ],
)
def test_money(amount: str | None, text: str) -> None:
    assert money(None if amount is None else Decimal(amount)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.42, "0.42"),
        (72, "72"),
        (12500, "12,500"),
        (1e25, "1e+25"),
        (0.00012, "0.00012"),
        (3.0, "3"),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.42, "0.4 s"), (12.3, "12 s"), (185, "3 min 05 s"), (3725, "1 h 02 min")]
)
def test_durations(value: float, text: str) -> None:
    assert seconds(value) == text


def test_changes() -> None:
    assert change_text(None, 1) == ""
    assert change_text(0.7, 0.71) == "+0.01"
    assert change_text(8, 5) == "-3"
    assert change_text(5, 5) == "no change"
    assert change_text("closed", "mixed") == "was closed"
    assert change_text(False, True) == "was no"


def test_bars() -> None:
    assert sparkline([0, 0.5, 1], UNICODE, (0, 1)) == "▁▅█"
    assert sparkline([3, 3], UNICODE) == "▄▄"
    assert sparkline([-5, 99], UNICODE, (0, 1)) == "▁█"
    assert sparkline([], UNICODE) == ""
    assert len(sparkline(list(range(100)), UNICODE)) == 24


def test_paragraphs_are_filled_and_items_hang() -> None:
    text = "# Heading\nOne sentence\nthat goes on.\n\n\n- an item that is long enough to wrap\n2) second"
    assert [line.plain for line in fill(text, 20, UNICODE)] == [
        "Heading",
        "One sentence that",
        "goes on.",
        "",
        "• an item that is",
        "  long enough to",
        "  wrap",
        "2) second",
    ]


def test_wide_letters_are_counted_in_cells() -> None:
    assert clip("深圳市人民政府", 9, UNICODE) == "深圳市人…"
    assert all(line.cell_len <= 10 for line in fill("深圳市人民政府通知", 10, UNICODE))
