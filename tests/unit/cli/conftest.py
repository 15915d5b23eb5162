"""Paper without colour, and a way to compare what is printed with a file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from pyscrai.cli.glyphs import UNICODE, Glyphs
from pyscrai.cli.paper import Paper

SNAPSHOTS = Path(__file__).parent / "snapshots"


class Sheet:
    """Paper and what has been printed on it."""

    def __init__(self, width: int = 80, glyphs: Glyphs = UNICODE, *, terminal: bool = False) -> None:
        self.file = io.StringIO()
        console = Console(
            file=self.file, width=width, force_terminal=terminal, color_system="standard" if terminal else None
        )
        self.paper = Paper(console, glyphs=glyphs)

    @property
    def text(self) -> str:
        return self.file.getvalue()


@pytest.fixture
def same_as() -> Callable[[str, str], None]:
    """Compare a text with snapshots/NAME; with PYSCRAI_UPDATE_SNAPSHOTS=1 it is written, to be read and committed."""

    def compare(name: str, text: str) -> None:
        file = SNAPSHOTS / name
        if os.environ.get("PYSCRAI_UPDATE_SNAPSHOTS"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        assert text == file.read_text()

    return compare
