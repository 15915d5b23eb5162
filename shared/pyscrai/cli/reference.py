"""docs/cli.md, made from the commands themselves: `python -m pyscrai.cli.reference > docs/cli.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from pyscrai.cli.main import ALIASES, NAME, cli

INTRODUCTION = f"""\
# The commands

One line for each; `--help` after each says the rest, with examples. `{ALIASES[0]}` is the same program under
another name. Every command takes `--json` (results on stdout as JSON, talk on stderr), `--quiet` and `--debug`;
colours go away with `NO_COLOR` and where the output is no terminal. Exit codes: 0 done, 1 failed, 2 a usage mistake,
3 the run stands still, 130 interrupted.

Commands that need an API use the one of `--api-url` or `PYSCRAI_API_URL`, else that of a running `{NAME} up`, else
they start one and end it with themselves.

| command | |
|---|---|
"""


def reference() -> str:
    """The page."""
    return INTRODUCTION + "".join(f"| `{usage}` | {text} |\n" for usage, text in _lines())


def _lines() -> Iterator[tuple[str, str]]:
    context = click.Context(cli, info_name=NAME)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            for below, inner in command.commands.items():
                yield _usage(f"{name} {below}", inner), _text(inner)
        else:
            yield _usage(name, command), _text(command)


def _usage(name: str, command: click.Command) -> str:
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    shown = [one.make_metavar(click.Context(command)) for one in arguments if name not in ("api", "engine")]
    return " ".join([NAME, name, *shown]).replace("|", "\\|")


def _text(command: click.Command) -> str:
    """The first sentence of the help."""
    return command.get_short_help_str(limit=1000).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
