"""`pyscrai upgrade`: a scenario of another dialect, in ours."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pyscrai.cli.options import common, pass_talk
from pyscrai.cli.talk import FAILED, OK, Talk

EPILOG = """\b
Examples:
  pyscrai upgrade their/scenario > mine.yaml
  pyscrai upgrade their/scenario.json --out mine/scenario.yaml

\b
The originals are left as they are. What has no place in our format is kept
under `extensions`, and listed as notes. Played, both give the same run.
"""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it to a new file.")
@common
@pass_talk
def upgrade(talk: Talk, /, file: Path, out: Path | None) -> int:
    """Write a scenario of any known dialect as pyscrai/scenario@1, with a report of what is not used."""
    from pyscrai.formats.dump import dump
    from pyscrai.formats.load import load

    if out is not None and out.exists():
        raise click.BadParameter(f"{out} is there already", param_hint="'--out'")
    loaded = load(file)
    for found in loaded.findings:
        talk.say(str(found), {"error": "red", "warning": "yellow"}.get(found.severity, "dim"))
    if loaded.scenario is None:
        message = f"{file} is no scenario that can be written in our format"
        talk.complain(message, f"See pyscrai validate {file}", "scenario_error")
        return FAILED
    text = dump(loaded.scenario)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, "utf-8")
        talk.say(f"Written to {out}", "green")
    if talk.json:
        losses = [str(found) for found in loaded.losses]
        written = str(out) if out is not None else None
        talk.result({"name": loaded.scenario.name, "dialect": loaded.dialect, "file": written, "losses": losses})
    elif out is None:
        sys.stdout.write(text)
    return OK
