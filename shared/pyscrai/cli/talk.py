"""What a command says, and where: results to stdout, talk to stderr; JSON or text for people."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

    from pyscrai.cli.paper import Paper

OK, FAILED, USAGE, STANDS_STILL, INTERRUPTED = 0, 1, 2, 3, 130
DEFAULT_WIDTH = 80


@dataclass
class Talk:
    """The two outputs of one command. `json`: results are JSON; `quiet`: no talk but errors."""

    json: bool = False
    quiet: bool = False
    debug: bool = field(default_factory=lambda: bool(os.environ.get("PYSCRAI_DEBUG")))

    @cached_property
    def out(self) -> Console:
        return _console(sys.stdout)

    @cached_property
    def err(self) -> Console:
        return _console(sys.stderr)

    @cached_property
    def paper(self) -> Paper:
        """Stdout as paper for a play or a page."""
        from pyscrai.cli.paper import Paper

        return Paper(self.out)

    @property
    def live(self) -> bool:
        """Whether a person sees lines change: a terminal, and no JSON on it."""
        return self.out.is_terminal and not self.json and not self.quiet and os.environ.get("TERM") != "dumb"

    def result(self, value: Any) -> None:
        """One JSON document on stdout, on one line."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()

    def say(self, text: str, style: str = "dim") -> None:
        """Talk, on stderr."""
        if not self.quiet:
            self._print(text, style)

    def complain(self, message: str, hint: str = "", code: str = "") -> None:
        """An error, on stderr, also when quiet; as JSON where results are."""
        if self.json:
            error = {"code": code, "message": message, "hint": hint}
            sys.stderr.write(json.dumps({"error": {k: v for k, v in error.items() if v}}, ensure_ascii=False) + "\n")
            return
        self._print(f"Error: {message}", "red")
        if hint:
            self._print(hint, "")

    def _print(self, text: str, style: str) -> None:
        from pyscrai.cli.prose import clean

        # On a terminal a line for stderr has to go above the status line, which stdout's console knows of.
        console = self.out if self.live and self.err.is_terminal else self.err
        console.print(clean(text), style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)


def _console(stream: TextIO) -> Console:
    """A console that never fails for a sign that the stream cannot show, and is as wide as COLUMNS or a terminal."""
    from rich.console import Console

    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    width = None if stream.isatty() else _columns()
    return Console(file=stream, width=width, highlight=False, emoji=False, soft_wrap=True)


def _columns() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() and int(columns) > 0 else DEFAULT_WIDTH
