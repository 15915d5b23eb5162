"""Text for people: cleaned of what could move a terminal's cursor, filled to a width, set in two columns.

What models and authors wrote is untrusted here: an escape sequence in it must never reach the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from pyscrai.cli.glyphs import Glyphs

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ITEM = re.compile(r"(?P<mark>[-*•]|\d{1,3}[.)])\s+(?P<text>.+)")
_HEADING = re.compile(r"#{1,6}\s+(?P<text>.+)")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_SCRATCH = Console(width=1000, color_system=None, legacy_windows=False)


def clean(text: str) -> str:
    """The text without control characters (line ends and tabs become plain ones) or reversing marks."""
    return _UNSAFE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "  "))


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def clip(text: str, width: int, glyphs: Glyphs) -> str:
    """One line of at most `width` cells; what is cut off ends in an ellipsis."""
    text = one_line(text)
    if cell_len(text) <= width:
        return text
    cut = Text(text)
    cut.truncate(max(1, width - cell_len(glyphs.ellipsis)))
    return cut.plain.rstrip() + glyphs.ellipsis


def fill(text: str, width: int, glyphs: Glyphs, style: str = "") -> list[Text]:
    """Lines of at most `width` cells: paragraphs are filled anew, list items hang, `**bold**` is bold."""
    lines: list[Text] = []
    for paragraph in _paragraphs(clean(text)):
        if paragraph is None:
            if lines:
                lines.append(Text())
            continue
        mark, words, heading = paragraph
        mark = glyphs.bullet if mark in ("-", "*", "•") else mark
        indent = cell_len(mark) + 1 if mark else 0
        body = _emphasised(words, f"{style} bold" if heading else style)
        for number, line in enumerate(wrap(body, max(8, width - indent))):
            lead = f"{mark} " if mark and number == 0 else " " * indent
            lines.append(Text(lead, style) + line)
    return lines


def wrap(text: Text, width: int) -> list[Text]:
    """A text as lines of at most `width` cells, none with spaces at its end."""
    lines = list(text.wrap(_SCRATCH, width))
    for line in lines:
        line.rstrip()
    return lines


def columns(left: Iterable[Text], right: Iterable[Text], *, indent: int, left_width: int, gap: int = 2) -> list[Text]:
    """Two columns side by side: each line of `left` is `left_width` cells, whatever is shorter is filled up."""
    lefts, rights = list(left), list(right)
    lines = []
    for number in range(max(len(lefts), len(rights))):
        line = Text(" " * indent)
        head = lefts[number] if number < len(lefts) else Text()
        line.append_text(head)
        if number < len(rights) and rights[number].plain:
            line.append(" " * (left_width - head.cell_len + gap))
            line.append_text(rights[number])
        line.rstrip()
        lines.append(line)
    return lines


def _paragraphs(text: str) -> Iterable[tuple[str, str, bool] | None]:
    """(mark, words, heading) per paragraph or item; None for a blank line between paragraphs."""
    held: list[str] = []
    mark = ""
    gap = False
    for raw in [*text.split("\n"), ""]:
        line = raw.strip()
        item, heading = _ITEM.fullmatch(line), _HEADING.fullmatch(line)
        if held and (not line or item or heading):
            yield mark, " ".join(held), False
            held, mark = [], ""
        if not line:
            gap = True
            continue
        if gap:
            yield None
            gap = False
        if heading:
            yield "", heading["text"], True
        elif item:
            mark, held = item["mark"], [item["text"]]
        else:
            held.append(line)


def _emphasised(words: str, style: str) -> Text:
    text = Text(style=style)
    for number, part in enumerate(_BOLD.split(words)):
        text.append(part, "bold" if number % 2 else None)
    return text
