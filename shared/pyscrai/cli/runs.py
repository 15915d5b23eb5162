"""`pyscrai runs`: list, show, log, export, watch, pause, cancel; more in `resuming`, `replays`, `courses`, `trees`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyscrai.cli.costs import of_run
from pyscrai.cli.courses import branch, edit, measure, tell
from pyscrai.cli.insights import knows, patterns
from pyscrai.cli.options import (
    Where,
    common,
    out,
    pass_talk,
    patience,
    place,
)
from pyscrai.cli.replays import replay
from pyscrai.cli.resuming import resume, shown
from pyscrai.cli.seat.changing import release, take, whisper
from pyscrai.cli.talk import Talk
from pyscrai.cli.trees import diff, tree

if TYPE_CHECKING:
    from pyscrai.contract.runs import Run

EPILOG = """\b
A RUN is named by
  last                  the latest one
  run-003               its number among the runs of its scenario
  negotiation/run-003   the same, where two scenarios have a run-003
  12                    its number in this installation
  019aa3f0-11           its id, or a unique beginning of it

\b
Examples:
  pyscrai runs list --status paused
  pyscrai runs show last
  pyscrai runs costs last --by seat
  pyscrai runs knows last --seat mayor --turn 2
  pyscrai runs patterns last
  pyscrai runs export last --out my-run
  pyscrai runs export last --format csv > metrics.csv
  pyscrai runs replay run-003
  pyscrai runs tell last "A storm closes the pass."
  pyscrai runs branch run-003 --at-turn 2 --set mayor.goals='["peace"]'
  pyscrai runs resume run-003 --limit 2.00
  pyscrai runs resume last --model gpt-4o-mini --seat mayor.model=rehearsal
"""
EXPORT_EPILOG = """\b
Examples:
  pyscrai runs export run-003           a folder named after it
  pyscrai runs export last --out my-run --force
  pyscrai runs export last --format csv > metrics.csv
"""
FORMATS = ("json", "csv", "messages", "md", "log", "calls", "costs", "costs-json")
STATUSES = ("pending", "running", "waiting", "paused", "blocked", "completed", "failed", "cancelled")
run_argument = click.argument("run", metavar="RUN")


@click.group(epilog=EPILOG)
def runs() -> None:
    """List, show, export, watch, pause, resume, cancel, replay and branch runs."""


for command in (replay, take, release, whisper):
    runs.add_command(command)
runs.add_command(knows)
runs.add_command(patterns)
for course in (resume, tell, edit, measure, branch, tree, diff):
    runs.add_command(course)


@runs.command("list")
@click.option("--scenario", metavar="NAME", help="Only runs of this scenario.")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs that are so.")
@click.option("-n", "--number", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, at most.")
@place
@common
@pass_talk
def list_runs(talk: Talk, /, where: Where, scenario: str | None, status: str | None, number: int) -> int:
    """The latest runs."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.cli.pages import run_list
        from pyscrai.sdk.names import all_runs

        found: list[Run] = []
        async with session(where, talk) as at:
            async for one in all_runs(at.api, scenario=scenario, status=status):
                found.append(one)
                if len(found) == number:
                    break
        if talk.json:
            talk.result([one.model_dump(mode="json") for one in found])
        elif found:
            run_list(talk.paper, found)
        else:
            talk.say("No runs. Play one: pyscrai run negotiation", "")

    return run_async(work)


@runs.command()
@run_argument
@click.option("--thoughts/--no-thoughts", default=True, help="Show what the seats think.")
@place
@common
@pass_talk
def show(talk: Talk, /, where: Where, run: str, thoughts: bool) -> int:
    """A run as a page to read: the play so far, metrics, money, digest."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.cli.showing import show_run
        from pyscrai.sdk.names import find_run

        async with session(where, talk) as at:
            await show_run(await find_run(at.api, run), at, talk, thoughts=thoughts, default_model=_default_model())

    return run_async(work)


@runs.command()
@run_argument
@click.option("--after", type=click.IntRange(0), default=0, help="Only lines after this number.")
@place
@common
@pass_talk
def log(talk: Talk, /, where: Where, run: str, after: int) -> int:
    """The log as JSON, one entry on each line."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.sdk.follow import whole_log
        from pyscrai.sdk.names import find_run

        async with session(where, talk) as at:
            found = await find_run(at.api, run)
            async for entry in whole_log(at.api, found.id, after=after):
                talk.result(entry.model_dump(mode="json"))

    return run_async(work)


@runs.command(epilog=EXPORT_EPILOG)
@run_argument
@click.option("--format", "kind", type=click.Choice(FORMATS), help="One of its files, on stdout; no folder.")
@out
@place
@common
@pass_talk
def export(talk: Talk, /, where: Where, run: str, kind: str | None, out: Path | None, force: bool) -> int:
    """A run as a folder: Markdown per turn and seat, run.json, metrics.csv, costs, log.jsonl, llm_calls.jsonl."""
    from pyscrai.cli.exporting import export as write
    from pyscrai.cli.exporting import free_folder, print_one
    from pyscrai.cli.session import run_async, session
    from pyscrai.sdk.names import find_run

    if out is not None:
        if kind is not None:
            raise click.UsageError("--format writes to stdout, --out a folder: one of them")
        free_folder(out, force)

    async def work() -> None:
        async with session(where, talk) as at:
            found = await find_run(at.api, run)
            if kind is not None:
                await print_one(at, found.id, kind)
                return
            folder = free_folder(out or Path(f"{found.scenario.name}-{found.label}"), force)
            assert folder is not None
            written = await write(at, found.id, folder, talk)
            if talk.json:
                talk.result({"run": found.id, "folder": str(written)})

    return run_async(work)


@runs.command()
@run_argument
@click.option("--after", type=click.IntRange(0), default=0, help="Show only lines after this number of the log.")
@click.option("--wait", is_flag=True, help="Watch on while the run is paused or blocked.")
@click.option("--thoughts/--no-thoughts", default=True, help="Show what the seats think.")
@patience
@place
@common
@pass_talk
def watch(talk: Talk, /, where: Where, run: str, after: int, wait: bool, thoughts: bool, patience: float) -> int:
    """Watch a run from its beginning as it goes on. Ctrl-C stops watching, not the run. With --json: its entries."""
    from pyscrai.cli.session import run_async, session

    async def work() -> int:
        from pyscrai.cli.watching import Watch
        from pyscrai.cli.watching import watch as watch_run
        from pyscrai.sdk.names import find_run

        async with session(where, talk) as at:
            how = Watch(
                through_pauses=wait,
                thoughts=thoughts,
                events=True,
                show_from=after + 1,
                patience=patience,
                default_model=_default_model(),
            )
            return await watch_run(await find_run(at.api, run), at, talk, how)

    return run_async(work)


@runs.command()
@run_argument
@place
@common
@pass_talk
def pause(talk: Talk, /, where: Where, run: str) -> int:
    """Let calls in flight finish and start no new ones."""
    return _control("pause", talk, where, run)


@runs.command()
@run_argument
@place
@common
@pass_talk
def cancel(talk: Talk, /, where: Where, run: str) -> int:
    """End a run for good. What was said is kept."""
    return _control("cancel", talk, where, run)


def _control(what: str, talk: Talk, where: Where, run: str) -> int:
    from pyscrai.cli.session import run_async, session

    async def work() -> int:
        from pyscrai.sdk.names import find_run

        async with session(where, talk) as at:
            found = await find_run(at.api, run)
            return shown(talk, await getattr(at.api, what)(found.id))

    return run_async(work)


def _default_model() -> str:
    from pyscrai.cli.watching import DEFAULT_MODEL

    return os.environ.get("PYSCRAI_DEFAULT_MODEL") or DEFAULT_MODEL


runs.add_command(of_run)
