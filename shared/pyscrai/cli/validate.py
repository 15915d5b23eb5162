"""`pyscrai validate`: what a reader has to say about scenario files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyscrai.cli.options import common, pass_talk
from pyscrai.cli.talk import FAILED, OK, Talk

if TYPE_CHECKING:
    from pyscrai.formats.findings import Finding
    from pyscrai.formats.load import Loaded

STYLES = {"error": "red", "warning": "yellow", "note": "dim"}
EPILOG = """\b
Examples:
  pyscrai validate my/scenario
  pyscrai validate negotiation dialogue        examples that come with it
  pyscrai validate --json my/scenario.yaml
"""


@click.command(epilog=EPILOG)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@common
@pass_talk
def validate(talk: Talk, /, files: tuple[Path, ...], strict: bool) -> int:
    """Check scenario files or folders of any known dialect. Exit code 1 where one cannot be played."""
    return look(talk, files, strict=strict)


def look(
    talk: Talk, files: Iterable[Path], *, strict: bool, also: Callable[[Loaded], list[Finding]] | None = None
) -> int:
    """Print what readers (and `also`) find in files, folders and shipped examples. FAILED where one has errors."""
    from dataclasses import replace

    from pyscrai.formats.findings import in_order
    from pyscrai.formats.load import load
    from pyscrai.sdk.shipped import shipped_scenarios

    shipped = shipped_scenarios()
    loaded: dict[Path, Loaded] = {}
    for file in files:
        one = load(file if file.exists() else shipped.get(str(file), file))
        loaded[file] = replace(one, findings=in_order([*one.findings, *also(one)])) if also else one
    failing = ("error", "warning") if strict else ("error",)
    bad = [file for file, one in loaded.items() if any(found.severity in failing for found in one.findings)]
    if talk.json:
        talk.result([_as_json(file, one, file not in bad) for file, one in loaded.items()])
    else:
        for file, one in loaded.items():
            _print(talk, file, one, file not in bad)
    return FAILED if bad else OK


def _as_json(file: Path, loaded: Loaded, good: bool) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "file": str(file),
        "valid": good,
        "dialect": loaded.dialect,
        "name": loaded.scenario.name if loaded.scenario else loaded.agent.name if loaded.agent else None,
        "about": loaded.about,
        "findings": [asdict(found) for found in loaded.findings],
    }


def _print(talk: Talk, file: Path, loaded: Loaded, good: bool) -> None:
    from pyscrai.cli.charts import count
    from pyscrai.cli.prose import one_line

    paper = talk.paper
    sign, style = (paper.glyphs.ok, "green") if good else (paper.glyphs.fail, "bold red")
    by_severity = {kind: sum(found.severity == kind for found in loaded.findings) for kind in STYLES}
    told = ", ".join(count(number, kind) for kind, number in by_severity.items() if number)
    dialect = "" if loaded.dialect in ("native", "unknown") else f" ({loaded.dialect})"
    paper.line(f"{sign} {one_line(f'{file}: {loaded.about}{dialect}')}{f': {told}' if told else ''}", style)
    for found in loaded.findings:
        _print_finding(talk, found)


def _print_finding(talk: Talk, found: Finding) -> None:
    from rich.text import Text

    from pyscrai.cli.prose import fill, one_line

    paper = talk.paper
    where = f" at {one_line(found.path)}" if found.path else ""
    place = Text(f"  {one_line(found.file)}:{found.line}:{found.column}: ", "dim")
    paper.line(Text.assemble(place, (found.severity, STYLES[found.severity]), (where, "dim")))
    for text in (found.message, found.hint or ""):
        for line in fill(text, paper.width - 4, paper.glyphs):
            paper.line(Text("    ") + line)
