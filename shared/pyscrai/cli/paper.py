"""Where a play is printed: a console, its width, its signs; lines, rules and the two columns of a script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from pyscrai.cli import glyphs as signs
from pyscrai.cli.prose import columns, fill, one_line, wrap

WIDEST = 120
NARROWEST = 40
INDENT = 2


class Paper:
    """Prints finished lines only: what is on it is already wrapped, so that it reads the same in a file."""

    def __init__(self, console: Console, *, glyphs: signs.Glyphs | None = None) -> None:
        self.console = console
        self.glyphs = glyphs or signs.for_encoding(console.encoding)
        self.width = max(NARROWEST, min(console.width, WIDEST))
        self.left = 16
        self._blank = True

    def set_names(self, names: Iterable[str]) -> None:
        """Make the left column as wide as these need, within reason: longer ones are broken."""
        most = 16 if self.width < 100 else 24
        self.left = min(most, max([10, *(cell_len(one_line(name)) for name in names)]))

    @property
    def right(self) -> int:
        """The width of the right column."""
        return self.width - INDENT - self.left - 2

    def line(self, text: Text | str = "", style: str = "") -> None:
        shown = Text(text, style) if isinstance(text, str) else text
        self.console.print(shown, soft_wrap=True, markup=False, highlight=False, emoji=False)
        self._blank = not shown.plain

    def lines(self, lines: Iterable[Text]) -> None:
        """Several lines at once, so that a status line below is drawn once."""
        shown = list(lines)
        for line in shown:
            line.rstrip()
        if shown:
            self.line(Text("\n").join(shown))

    def blank(self) -> None:
        """One empty line, never two."""
        if not self._blank:
            self.line()

    def rule(self, title: str, style: str = "bold cyan") -> None:
        """A heading across the whole width, with an empty line before it."""
        self.blank()
        head = f"{self.glyphs.rule * 2} {one_line(title)} "
        self.line(Text(head + self.glyphs.rule * max(0, self.width - cell_len(head)), style))

    def block(
        self, left: str | Sequence[Text], right: Iterable[Text], style: str = "bold", indent: int = INDENT
    ) -> None:
        """A name (broken where it is too long) beside its lines."""
        names = self.name(left, style) if isinstance(left, str) else left
        self.lines(columns(names, right, indent=indent, left_width=self.left))

    def name(self, text: str, style: str = "bold") -> list[Text]:
        return wrap(Text(one_line(text), style), self.left)

    def filled(self, text: str, style: str = "", width: int | None = None) -> list[Text]:
        """Lines for the right column."""
        return fill(text, self.right if width is None else width, self.glyphs, style)

    def labelled(self, label: str, text: str, style: str = "dim") -> list[Text]:
        """`thinks: …`, further lines hanging by two."""
        first, *rest = wrap(Text(f"{label}: {one_line(text)}", style), self.right)
        tail = Text(" ".join(line.plain for line in rest), style)
        return [first, *(Text("  ") + line for line in wrap(tail, self.right - 2))] if rest else [first]

    def facts(self, pairs: Iterable[tuple[str, str]], width: int | None = None) -> None:
        """`label  text` lines of a summary, labels dim and aligned."""
        rows = list(pairs)
        wide = max((cell_len(label) for label, _ in rows), default=0)
        for label, text in rows:
            body = fill(text, (width or self.width) - wide - 4, self.glyphs)
            for line in columns([Text(label, "dim")], body, indent=INDENT, left_width=wide):
                self.line(line)
