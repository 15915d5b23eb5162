"""`pyscrai batch`: a scenario played many times with varied choices, and what the runs come to together."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyscrai.cli.options import Engines, Where, common, limit, pass_talk, patience, place
from pyscrai.cli.talk import OK, STANDS_STILL, Talk

if TYPE_CHECKING:
    from pyscrai.cli.session import Session
    from pyscrai.contract.batches import Batch
    from pyscrai.domain.sweeps import Sweep
    from pyscrai.formats.batches import ReadSweep
    from pyscrai.sdk.scenario import Scenario

PLAY = "play"
EPILOG = """\b
Examples:
  pyscrai batch sweep.yaml
  pyscrai batch sweep.yaml --resume --limit 20
  pyscrai batch show my-sweep --csv my-sweep.csv
  pyscrai batch list

\b
CONFIG is a file of ours (pyscrai/batch@1) or of Scenario Lab. The same file
again goes on where it was: what has ended is never played twice. Ctrl-C
pauses the batch and says how to go on.
"""
SECONDS_TO_PAUSE = 15.0


class WithDefault(click.Group):
    """What is no command of the group is the file to be played."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.commands.get(cmd_name, self.commands[PLAY])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = [PLAY, *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Options of the file's command may stand before it, but the group's own help is the group's.
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [PLAY, *args]
        return super().parse_args(ctx, args)


@click.group(cls=WithDefault, epilog=EPILOG)
def batch() -> None:
    """Play a scenario many times with varied choices, under one budget, and compare. `pyscrai batch CONFIG` plays."""


@batch.command(PLAY)
@click.argument("config", metavar="CONFIG", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--resume", is_flag=True, help="Go on with this batch; a mistake where there is none yet.")
@limit
@click.option("--engines", type=Engines(), default="actor=2,narrator=1,analyst=1", help="Engines to start.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows there too.")
@patience
@place
@common
@pass_talk
def play(
    talk: Talk,
    /,
    config: Path,
    resume: bool,
    limit: Any,
    engines: Mapping[str, int],
    csv_file: Path | None,
    patience: float,
    where: Where,
) -> int:
    """Play a batch file to its end. --limit: a new budget for the whole of it, in US dollars."""
    from pyscrai.cli.session import run_async, session, warn_without_engines

    told = _read(config, talk)
    scenario = _scenario(told.config["scenario"], config)

    async def work() -> int:
        async with session(where, talk, engines=engines) as at:
            begun = await _begin(at, told, scenario, config, talk, resume=resume, budget=limit)
            await warn_without_engines(at, talk)
            return await _watch(at, begun, talk, config, patience, csv_file)

    return run_async(work)


@batch.command()
@click.argument("name", metavar="NAME")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows there.")
@place
@common
@pass_talk
def show(talk: Talk, /, name: str, csv_file: Path | None, where: Where) -> int:
    """What a batch has come to so far: a table for each metric, and with --csv every run."""
    from pyscrai.cli.session import run_async, session

    async def work() -> int:
        async with session(where, talk) as at:
            return await _results(at, name, talk, csv_file)

    return run_async(work)


@batch.command("list")
@place
@common
@pass_talk
def list_(talk: Talk, /, where: Where) -> int:
    """List the batches, the newest first."""
    from pyscrai.cli.session import run_async, session

    async def work() -> int:
        from pyscrai.cli.batches import listed

        async with session(where, talk) as at:
            found = (await at.api.batches()).items
        if talk.json:
            talk.result([one.model_dump(mode="json") for one in found])
        else:
            listed(talk.paper, found)
        return OK

    return run_async(work)


@batch.command()
@click.argument("name", metavar="NAME")
@place
@common
@pass_talk
def cancel(talk: Talk, /, name: str, where: Where) -> int:
    """End a batch and all its runs now. What they came to is kept."""
    from pyscrai.cli.session import run_async, session

    async def work() -> int:
        async with session(where, talk) as at:
            ended = await at.api.cancel_batch(name)
        if talk.json:
            talk.result(ended.model_dump(mode="json"))
        else:
            talk.say(f"{ended.name} is cancelled; {ended.ended} of {ended.runs} runs had ended.")
        return OK

    return run_async(work)


def _read(config: Path, talk: Talk) -> ReadSweep:
    """Raises TemplateError with every mistake and its line."""
    from pyscrai.formats.batches import read_sweep
    from pyscrai.sdk.errors import TemplateError

    told = read_sweep(config)
    if told.sweep is None:
        raise TemplateError(str(config), told.findings)
    for found in told.findings:
        if found.severity == "warning":
            talk.say(str(found), "yellow")
    return told


def _scenario(wanted: str, config: Path) -> Scenario | str:
    """A file beside the batch's, or from here; a shipped example; a name in the catalog. Raises ScenarioNotFound."""
    from pyscrai.cli.scenarios import find_scenario
    from pyscrai.sdk.scenario import Scenario

    beside = config.parent / wanted
    return Scenario.load(beside) if beside.exists() else find_scenario(wanted)


async def _begin(
    at: Session, told: ReadSweep, scenario: Scenario | str, config: Path, talk: Talk, *, resume: bool, budget: Any
) -> Batch:
    from pyscrai.client.errors import InvalidRequest, NotFound
    from pyscrai.contract.batches import ResumeBatch
    from pyscrai.sdk import batches

    assert told.sweep is not None
    if resume:
        try:
            await at.api.batch(told.sweep.name)
        except NotFound:
            raise click.UsageError(f"there is no batch {told.sweep.name} to go on with; leave out --resume") from None
    await _foretell(at, told.sweep, scenario, talk)
    try:
        found = await batches.post(at.api, told.sweep, scenario, pool=at.place.pool)
    except InvalidRequest as error:
        if not any(one.pointer.startswith("/config") for one in error.errors):
            raise
        raise batches.with_lines(error, config, told.positions) from error
    elsewhere = found.pool != at.place.pool and found.status not in ("done", "cancelled")
    if resume or budget is not None or elsewhere or found.status == "paused":
        wanted = ResumeBatch(pool=at.place.pool, move=elsewhere or resume, budget=budget)
        found = await at.api.resume_batch(found.id, wanted)
    return found


async def _foretell(at: Session, sweep: Sweep, scenario: Scenario | str, talk: Talk) -> None:
    """What all of it is going to cost, where any model of it costs anything."""
    from pyscrai.cli.charts import count, money
    from pyscrai.domain.sweeps import InvalidSweep
    from pyscrai.sdk.estimates import estimate_of_sweep

    if talk.quiet:
        return
    try:
        told = await estimate_of_sweep(at.api, sweep, scenario)
    except InvalidSweep:
        return  # the API says so too, with the place in the file
    if told is None:
        return
    budget = sweep.budget if isinstance(sweep.budget, Decimal) else None
    asked = "" if told.asked == told.variations else f", from {told.asked} of {told.variations} variations"
    span = f"{money(told.expected)} ({money(told.low)} to {money(told.high)}){asked}"
    talk.say(f"Estimate: {count(told.runs, 'run')}, {span}; budget {money(budget)}")
    if budget is not None and told.expected > budget:
        talk.say("The budget is below what this is expected to cost: it will stand still there.", "yellow")


async def _watch(at: Session, begun: Batch, talk: Talk, config: Path, patience: float, csv_file: Path | None) -> int:
    """Show how far it is until it ends. Cancelled (by Ctrl-C), it pauses a batch that plays on engines of its own."""
    import asyncio

    from pyscrai.cli.batches import Progress
    from pyscrai.cli.status import status_line
    from pyscrai.sdk import batches

    if not talk.json:
        talk.say(f"{begun.name}: {begun.runs} runs of {begun.scenario} in {begun.variations} variations", "")
    try:
        with status_line(talk.paper, shown=talk.live) as status:
            progress = Progress(talk, status, begun)
            ended = await batches.watch(at.api, begun.id, progress.show, patience=patience)
    except asyncio.CancelledError:
        await _interrupted(at, begun, talk, config)
        raise
    await _results(at, ended.id, talk, csv_file)
    return _code(ended, talk, config)


def _code(ended: Batch, talk: Talk, config: Path) -> int:
    if ended.status in ("done", "cancelled"):
        return OK
    still = ", ".join(f"{count} {status}" for status, count in ended.counts.items() if status != "completed")
    why = ended.waits_for or f"it stands still: {still}"
    talk.complain(f"{ended.name}: {why}", f"Go on: pyscrai batch {config} --resume [--limit USD]", "stands_still")
    return STANDS_STILL


async def _interrupted(at: Session, begun: Batch, talk: Talk, config: Path) -> None:
    import anyio

    from pyscrai.client.errors import ClientError

    if not at.place.own:
        talk.say(f"Stopped watching. {begun.name} plays on: pyscrai batch show {begun.name}")
        return
    talk.say("Pausing …")
    go_on = f"Go on: pyscrai batch {config}"
    with anyio.CancelScope(shield=True), anyio.move_on_after(SECONDS_TO_PAUSE):
        try:
            paused = await at.api.pause_batch(begun.id)
        except ClientError as error:
            talk.complain(f"{begun.name} could not be paused: {error}", go_on)
            return
        done = f"{paused.ended} of {paused.runs} runs have ended"
        talk.complain(f"Interrupted: {begun.name} is paused, {done}.", go_on, "interrupted")


async def _results(at: Session, name: str, talk: Talk, csv_file: Path | None) -> int:
    from pyscrai.cli.batches import page, write_csv
    from pyscrai.sdk.batches import BatchResult

    found = BatchResult(results=await at.api.batch_results(name))
    if csv_file is not None:
        write_csv(csv_file, found.rows())
        talk.say(f"{len(found.results.rows)} rows are in {csv_file}", "green")
    if talk.json:
        talk.result(found.results.model_dump(mode="json"))
    else:
        page(talk.paper, found.results)
    return OK
