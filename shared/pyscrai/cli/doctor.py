"""`pyscrai doctor`: everything PyScrAI needs, one line each: ok, warn or fail, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import FAILED, OK, Talk

if TYPE_CHECKING:
    from pyscrai.cli.diagnosis import Line

EPILOG = """\b
Examples:
  pyscrai doctor
  pyscrai doctor --no-start --json

\b
Exit code 1 where a line says fail. Warnings are things that only some uses
need. Keys are never shown, only which ones are set.
"""
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
LEFT = 30
"""Columns of sign and name: the longest name, and room beside it."""


@click.command(epilog=EPILOG)
@click.option("--no-start", is_flag=True, help="Do not start a database or an API to look at; only what runs already.")
@place
@common
@pass_talk
def doctor(talk: Talk, /, where: Where, no_start: bool) -> int:
    """Look at everything PyScrAI needs and say what is missing."""
    from dataclasses import asdict

    from pyscrai.cli.diagnosis import local_lines
    from pyscrai.cli.prose import fill
    from pyscrai.cli.session import run_async
    from pyscrai.cli.vital_signs import api_lines

    lines = local_lines(where)

    async def look() -> None:
        async for line in api_lines(where, talk, start=not no_start):
            lines.append(line)
            show(line)

    def show(line: Line) -> None:
        if not talk.json:
            _print(talk, line)

    for line in lines:
        show(line)
    run_async(look)
    if talk.json:
        talk.result([asdict(line) for line in lines])
    else:
        talk.paper.blank()
        talk.paper.lines(fill(_verdict(lines), talk.paper.width, talk.paper.glyphs, "bold"))
    return FAILED if any(line.state == "fail" for line in lines) else OK


def _verdict(lines: list[Line]) -> str:
    """What all of it comes to, for somebody who reads one line only."""
    failed = [line.name for line in lines if line.state == "fail"]
    if failed:
        return f"Not ready: {', '.join(failed)}. What to do stands beside each."
    warned = [line.name for line in lines if line.state == "warn"]
    about = f" What is marked ({', '.join(warned)}) can wait." if warned else ""
    return f"Ready to play: pyscrai run first-read.{about}"


def _print(talk: Talk, line: Line) -> None:
    from rich.text import Text

    from pyscrai.cli.prose import columns, fill

    paper = talk.paper
    sign = {"ok": paper.glyphs.ok, "warn": paper.glyphs.warn, "fail": paper.glyphs.fail}[line.state]
    head = Text.assemble((f"{sign:<2} ", STYLES[line.state]), (line.name, "bold"))
    body = fill(line.detail, paper.width - LEFT - 4, paper.glyphs)
    if line.todo:
        body += fill(line.todo, paper.width - LEFT - 4, paper.glyphs, STYLES[line.state])
    for text in columns([head], body, indent=0, left_width=LEFT):
        paper.line(text)
