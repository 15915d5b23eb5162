"""Record a terminal session as the README shows it: `python -m bench.record` writes docs/session.svg.

The command is really run, in colour and 80 columns wide; then its lines are drawn. What differs from run to run (how
long it took, the run's id, the talk about starting) is left out, so that the same story gives the same picture.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "session.svg"
COMMAND = ("run", "first-read")
WIDTH = 80
SECONDS = 120
_ERASED = re.compile(r"^.*\x1b\[2K")
_CURSOR = re.compile(r"\x1b\[(?!\d*(?:;\d+)*m)[?\d;]*[A-Za-z]|\r")
_STYLE = re.compile(r"\x1b\[[\d;]*m")
_VOLATILE = re.compile(r"^\s*(?:Time\s+[\d.]+ s|Starting the database|Creating a database)")
_RUN_ID = re.compile(r"\s*\([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\)")
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def session(environ: Mapping[str, str]) -> list[str]:
    """The lines that the command leaves on a terminal, with their colours."""
    seen = {"COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    said = subprocess.run(
        [sys.executable, "-m", "pyscrai.cli", *COMMAND],
        env=dict(environ) | seen,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=SECONDS,
        check=True,
    ).stdout.decode()
    return left_standing(said)


def left_standing(said: str) -> list[str]:
    """What of the output is still there at the end: status lines were erased, and no two empty lines follow."""
    lines: list[str] = []
    for raw in said.split("\n"):
        line = _CURSOR.sub("", _ERASED.sub("", raw)).rstrip()
        line = _RUN_ID.sub("", line)
        plain = _STYLE.sub("", line).strip()
        if _VOLATILE.match(_STYLE.sub("", line)) or (not plain and lines and not _STYLE.sub("", lines[-1]).strip()):
            continue
        lines.append(line)
    return lines


def words(lines: list[str]) -> str:
    """The lines as one text without colours, to compare."""
    return " ".join(" ".join(_STYLE.sub("", line) for line in lines).split())


def drawn(lines: list[str]) -> str:
    """The lines as SVG, in whatever monospaced font the reader has."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text.assemble(("$ ", "bold green"), "pyscrai " + " ".join(COMMAND)))
        for line in lines:
            console.print(Text.from_ansi(line), soft_wrap=True)
        picture = console.export_svg(title="PyScrAI", unique_id="session")
    return _FONT.sub("", picture)


def main() -> None:
    """Write the picture, from a database and a data folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(drawn(session(os.environ | {"PYSCRAI_DATA": folder})), "utf-8")
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
