"""`pyscrai`: finds the command, runs it, and turns whatever goes wrong into a message and an exit code.

A command's module is imported when it is called, and heavier things inside it when they are needed, so that
`pyscrai --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from pyscrai.cli.talk import FAILED, INTERRUPTED, OK, Talk
from pyscrai.machine.ending import end_quickly

NAME = "pyscrai"
ALIASES = ("scenario-lab",)
COMMANDS = {
    "run": ("pyscrai.cli.run:run", "Play a scenario and watch it."),
    "estimate": ("pyscrai.cli.estimate:estimate", "Say what a run would ask and cost, before it does."),
    "batch": ("pyscrai.cli.batch:batch", "Play a scenario many times with varied choices, and compare."),
    "play": ("pyscrai.cli.seat.command:play", "Play a seat of a run, or approve its model's moves."),
    "inbox": ("pyscrai.cli.seat.command:inbox", "What your runs ask of people."),
    "new": ("pyscrai.cli.new:new", "Begin a scenario of your own: a file that plays at once."),
    "runs": ("pyscrai.cli.runs:runs", "List, show, export, watch, pause, resume, cancel and replay runs."),
    "compare": ("pyscrai.cli.compare:compare", "Hold several runs beside each other, turn by turn."),
    "export": ("pyscrai.cli.runs:export", "The same as runs export."),
    "costs": ("pyscrai.cli.costs:costs", "What was spent, by day, model, user, scenario or group."),
    "prices": ("pyscrai.cli.costs:prices", "What models cost, and who says so."),
    "limits": ("pyscrai.cli.limits:limits", "Show and set limits of groups, of a day, a week, the installation."),
    "scenarios": ("pyscrai.cli.templates:scenarios", "List, show and add scenarios of the catalog."),
    "templates": ("pyscrai.cli.templates:templates", "List, show, add and archive agents, scenarios, event types."),
    "cache": ("pyscrai.cli.cache:cache", "Show or clear the answers that runs with --cache have kept."),
    "events": ("pyscrai.cli.events:events", "List, show, post and correct events of the queue."),
    "engines": ("pyscrai.cli.engines:engines", "List the engines that are registered."),
    "providers": ("pyscrai.cli.providers:providers", "List the model providers: limits, open calls, breaks."),
    "users": ("pyscrai.cli.users:users", "Add, list and remove people with tokens of their own."),
    "keys": ("pyscrai.cli.keys:keys", "Keep your own keys of model providers at the API."),
    "validate": ("pyscrai.cli.validate:validate", "Check scenario files; say file, line and what to do."),
    "lint": ("pyscrai.cli.lint:lint", "Check scenarios by the rules of good authorship too."),
    "upgrade": ("pyscrai.cli.upgrade:upgrade", "Write a scenario of another dialect in ours."),
    "schema": ("pyscrai.cli.schema:schema", "Print the JSON Schema of a document, for editors."),
    "benchmark": ("pyscrai.cli.benchmark.command:benchmark", "Measure turn time, memory, cost and start-up."),
    "demo": ("pyscrai.cli.demo:demo", "Show something step by step."),
    "up": ("pyscrai.cli.up:up", "Serve the API and engines on this machine until Ctrl-C."),
    "serve": ("pyscrai.cli.up:up", "The same as up."),
    "api": ("pyscrai.cli.services:api", "Run one API process."),
    "engine": ("pyscrai.cli.services:engine", "Run one engine process: actor, narrator or analyst."),
    "mock-provider": (
        "pyscrai.cli.mock_provider:mock_provider",
        "Serve made-up answers in OpenAI's protocol, with faults and a bill.",
    ),
    "local": ("pyscrai.cli.local:local", "Get the local model: real, on this machine, no key, no cost."),
    "doctor": ("pyscrai.cli.doctor:doctor", "Look at everything PyScrAI needs and say what is missing."),
    "completion": ("pyscrai.cli.completion:completion", "Complete commands in bash, zsh or fish."),
    "version": ("pyscrai.cli.version:version", "Say which version this is."),
}
EPILOG = """\b
Examples:
  pyscrai run negotiation
  pyscrai run my/scenario --model gpt-4o-mini --limit 0.50 --turns 5
  pyscrai new my-scenario
  pyscrai runs export last --out my-run
  pyscrai doctor

\b
Exit codes:
  0    done
  1    failed: an error, a scenario with mistakes, a run that ended in an error
  2    a usage mistake: an unknown option, file or run
  3    the run stands still, paused or blocked; the message says what to do
  130  interrupted by Ctrl-C (143: by SIGTERM)

\b
Every command takes --json: results on stdout as JSON, talk on stderr.
Settings: PYSCRAI_API_URL, PYSCRAI_TOKEN, PYSCRAI_DATABASE_URL, PYSCRAI_DATA,
          PYSCRAI_DEBUG, NO_COLOR.
"""


class Commands(click.Group):
    """A group that knows its commands' names and one line about each without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises UsageError with the nearest name for a command that there is not."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " See pyscrai --help."
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted:
        import pyscrai

        click.echo(f"PyScrAI {pyscrai.__version__}")
        ctx.exit(OK)


@click.command(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show stack traces (PYSCRAI_DEBUG=1).")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Say which version this is."
)
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Play scenarios with model-driven and human actors."""
    ctx.obj.debug = ctx.obj.debug or debug


def run_command(args: Sequence[str] | None, talk: Talk, name: str = NAME) -> int:
    """Carry out a command line and return its exit code. `name` is what the help calls the command."""
    try:
        answer = cli.main(args=None if args is None else list(args), prog_name=name, standalone_mode=False, obj=talk)
    except click.ClickException as error:
        _usage(error, talk)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        from pyscrai.cli.failure import report

        return report(error, talk)
    return answer if isinstance(answer, int) else OK


def _usage(error: click.ClickException, talk: Talk) -> None:
    if talk.json:
        talk.complain(error.format_message(), code="usage")
    else:
        error.show()


def main() -> None:
    """The console scripts: `pyscrai`, and `scenario-lab` for those who know it by that name."""
    end_quickly()
    called = os.path.basename(sys.argv[0])
    sys.exit(run_command(None, Talk(), called if called in ALIASES else NAME))
