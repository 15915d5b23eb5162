"""`pyscrai runs`: list, show, log, export, watch, pause, resume, cancel; `replays` has replay."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyscrai.cli.costs import of_run
from pyscrai.cli.courses import branch, edit, measure, tell
from pyscrai.cli.insights import knows, patterns
from pyscrai.cli.options import (
    Engines,
    Where,
    by_seat,
    common,
    limit,
    makes_sense,
    out,
    pass_talk,
    patience,
    place,
    prices,
    seats,
)
from pyscrai.cli.replays import replay
from pyscrai.cli.seat.changing import release, take, whisper
from pyscrai.cli.talk import OK, Talk
from pyscrai.cli.trees import diff, tree

if TYPE_CHECKING:
    from pyscrai.cli.watching import Watch
    from pyscrai.contract.runs import Resume, Run

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
    """List, show, export, watch, pause, resume, cancel and replay runs."""


for command in (replay, take, release, whisper):
    runs.add_command(command)
runs.add_command(knows)
runs.add_command(patterns)
for course in (tell, edit, measure, branch, tree, diff):
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


@runs.command()
@run_argument
@limit
@click.option("--model", metavar="MODEL", help="From now on, for every seat that has none of its own in this run.")
@seats("model", "temperature", "max_tokens")
@prices
@click.option("--engines", type=Engines(), default="actor=1,narrator=1,analyst=1", help="Engines to start.")
@click.option("--detach", is_flag=True, help="Do not watch; needs an API with engines.")
@click.option("--thoughts/--no-thoughts", default=True, help="Show what the seats think.")
@patience
@place
@common
@pass_talk
def resume(
    talk: Talk,
    /,
    where: Where,
    run: str,
    engines: Mapping[str, int],
    detach: bool,
    thoughts: bool,
    patience: float,
    **wanted: Any,
) -> int:
    """Go on with a run that stands still and watch it, under a new limit or with other models where they are given.

    Without an API it starts one with engines, as `pyscrai run` does, and moves the run's work to them.
    """
    from pyscrai.cli.session import run_async
    from pyscrai.cli.watching import Watch

    how = Watch(pause=True, thoughts=thoughts, patience=patience, default_model=_default_model(), resumed=True)
    changes = how_to_resume(**wanted)
    return run_async(lambda: resume_and_watch(talk, where, run, changes, engines, how, detach=detach))


def how_to_resume(*, limit: Any, model: str | None, seats: Any, prices: Any) -> Resume:
    """Raises BadParameter where a seat's value makes no sense."""
    from pyscrai.sdk.choices import resume_of

    with makes_sense():
        return resume_of(credit_limit=limit, model=model, seats=by_seat(model, seats), prices=dict(prices))


async def resume_and_watch(
    talk: Talk, where: Where, run: str, wanted: Resume, engines: Mapping[str, int], how: Watch, *, detach: bool
) -> int:
    """Go on with a run, on engines of this command where there are no others."""
    from pyscrai.cli.session import session, warn_without_engines
    from pyscrai.cli.watching import watch as watch_run
    from pyscrai.sdk.names import find_run

    async with session(where, talk, engines=engines) as at:
        if detach and at.place.own:
            raise click.UsageError(
                "--detach needs an API that goes on without this command: `pyscrai up`, or --api-url"
            )
        found = await find_run(at.api, run)
        resumed = await at.api.resume(found.id, wanted.model_copy(update={"pool": at.place.pool}))
        await warn_without_engines(at, talk)
        if detach:
            return shown(talk, resumed)
        return await watch_run(resumed, at, talk, replace(how, show_from=found.last_seq + 1))


def _control(what: str, talk: Talk, where: Where, run: str) -> int:
    from pyscrai.cli.session import run_async, session

    async def work() -> int:
        from pyscrai.sdk.names import find_run

        async with session(where, talk) as at:
            found = await find_run(at.api, run)
            return shown(talk, await getattr(at.api, what)(found.id))

    return run_async(work)


def shown(talk: Talk, run: Run) -> int:
    """One line about a run, and what to do where it stands still."""
    from pyscrai.cli.trouble import what_to_do
    from pyscrai.sdk.result import full_name

    if talk.json:
        talk.result(run.model_dump(mode="json"))
    else:
        talk.out.print(f"{full_name(run)} is {run.status}.", markup=False, soft_wrap=True)
        for line in what_to_do(run):
            talk.say(line, "")
    return OK


def _default_model() -> str:
    from pyscrai.cli.watching import DEFAULT_MODEL

    return os.environ.get("PYSCRAI_DEFAULT_MODEL") or DEFAULT_MODEL


runs.add_command(of_run)
