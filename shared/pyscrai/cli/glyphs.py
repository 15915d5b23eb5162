"""The signs on the screen, with a plain set for terminals and files that take no UTF-8."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Glyphs:
    rule: str
    dot: str
    dash: str
    bullet: str
    arrow: str
    ellipsis: str
    ok: str
    warn: str
    fail: str
    bars: str
    bar: str
    spinner: str
    fork: str
    last: str
    stem: str


UNICODE = Glyphs(
    rule="━",
    dot="·",
    dash="—",
    bullet="•",
    arrow="→",
    ellipsis="…",
    ok="✓",
    warn="!",
    fail="✗",
    bars="▁▂▃▄▅▆▇█",
    bar="█",
    fork="├─ ",
    last="└─ ",
    stem="│  ",
    spinner="⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
)
ASCII = Glyphs(
    rule="=",
    dot="|",
    dash="-",
    bullet="*",
    arrow="->",
    ellipsis="...",
    ok="ok",
    warn="!",
    fail="x",
    bars="_.:-=+*#",
    bar="#",
    fork="|- ",
    last="`- ",
    stem="|  ",
    spinner="|/-\\",
)


def for_encoding(encoding: str | None) -> Glyphs:
    """The signs that an output of this encoding can show."""
    try:
        "━…→✓▁█•—⠋".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE
