"""`pyscrai version`."""

from __future__ import annotations

import platform

import click

from pyscrai.cli.options import common, pass_talk
from pyscrai.cli.talk import Talk


@click.command(epilog="\b\nExamples:\n  pyscrai version --json | jq -r .version")
@common
@pass_talk
def version(talk: Talk) -> None:
    """Say which version this is."""
    import pyscrai
    from pyscrai.contract import PROTOCOL

    if talk.json:
        talk.result({"version": pyscrai.__version__, "python": platform.python_version(), "protocol": PROTOCOL})
    else:
        click.echo(f"PyScrAI {pyscrai.__version__} (Python {platform.python_version()}, engine protocol {PROTOCOL})")
