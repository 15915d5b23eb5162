"""`pyscrai lint`: what an experienced author would change."""

from __future__ import annotations

from pathlib import Path

import click

from pyscrai.cli.options import common, pass_talk
from pyscrai.cli.talk import Talk

EPILOG = """\b
Examples:
  pyscrai lint my/scenario
  pyscrai lint --strict scenarios/*

\b
Beside what `pyscrai validate` says: a tool reads its owner's systems only,
one that ends the conversation says how, the agent is not its principal, and
so on. Nothing of it keeps a scenario from playing; --strict makes it count.
"""


@click.command(epilog=EPILOG)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@common
@pass_talk
def lint(talk: Talk, /, files: tuple[Path, ...], strict: bool) -> int:
    """Check scenarios by the rules of good authorship too. Exit code 1 where one cannot be played."""
    from pyscrai.cli.validate import look
    from pyscrai.formats.lint import findings

    return look(talk, files, strict=strict, also=findings)
