"""`pyscrai completion`: what a shell needs to complete our commands and options."""

from __future__ import annotations

import sys

import click

from pyscrai.cli.options import common, pass_talk
from pyscrai.cli.talk import OK, Talk

SHELLS = ("bash", "zsh", "fish")
EPILOG = """\b
Examples:
  pyscrai completion bash >> ~/.bashrc
  pyscrai completion zsh >> ~/.zshrc
  pyscrai completion fish > ~/.config/fish/completions/pyscrai.fish
"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
@common
@pass_talk
@click.pass_context
def completion(ctx: click.Context, /, talk: Talk, shell: str) -> int:
    """Print the lines that make a shell complete commands and options."""
    from click.shell_completion import get_completion_class

    root = ctx.find_root()
    name = root.info_name or "pyscrai"
    kind = get_completion_class(shell)
    assert kind is not None
    # The variable that click itself looks for, under the name by which we were called.
    source = kind(root.command, {}, name, f"_{name.replace('-', '_').upper()}_COMPLETE").source()
    if talk.json:
        talk.result({"shell": shell, "source": source})
    else:
        sys.stdout.write(source.strip() + "\n")
    return OK
