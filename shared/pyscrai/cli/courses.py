"""`pyscrai runs tell, edit, measure, branch`: change the course of a run, or of a branch of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyscrai.cli.changing import changes, edits_of, facts, said, text_of, world
from pyscrai.cli.options import (
    Engines,
    Where,
    by_seat,
    common,
    limit,
    makes_sense,
    pass_talk,
    patience,
    place,
    prices,
    seats,
)
from pyscrai.cli.talk import OK, Talk

if TYPE_CHECKING:
    from pyscrai.cli.watching import Watch
    from pyscrai.contract.branches import NewBranch
    from pyscrai.contract.inputs import NewInput

BRANCH_EPILOG = """\b
Examples:
  pyscrai runs branch run-003 --at-turn 2 --seat mayor.model=gpt-4o-mini
  pyscrai runs branch last --at-turn 2 --set mayor.goals='["peace"]'
  pyscrai runs branch last --at-turn 4 --fact treasury=20 --tell "A storm."
  pyscrai runs branch last --at-turn 5 --turns 10      five turns more
  pyscrai runs branch last --list                      where it may begin

\b
The branch shares the story until there and pays only for what comes after.
See what came of it: pyscrai runs tree, runs diff, compare.
"""
TELL_EPILOG = """\b
Examples:
  pyscrai runs tell last "A storm closes the pass."
  pyscrai runs tell run-003 "They bluff." --seat mayor    a whisper
"""
run_argument = click.argument("run", metavar="RUN")


@click.command(epilog=TELL_EPILOG)
@run_argument
@click.argument("text")
@click.option("--seat", metavar="SEAT", help="Whisper it to this seat alone.")
@place
@common
@pass_talk
def tell(talk: Talk, /, where: Where, run: str, text: str, seat: str | None) -> int:
    """Tell all seats of a run something, or one of them. It enters the log with the step that is open."""
    return _put(talk, where, run, lambda: _input(text=text, seat=seat))


@click.command()
@run_argument
@facts
@world
@place
@common
@pass_talk
def edit(talk: Talk, /, where: Where, run: str, facts: tuple[tuple[str, Any], ...], world: Path | None) -> int:
    """Change facts or the text of a run's world, from the step on that is open."""
    told = text_of(world)
    return _put(talk, where, run, lambda: _input(kind="edit", facts=dict(facts) or None, world=told))


@click.command()
@run_argument
@click.argument("metric")
@click.argument("value")
@click.option("--seat", metavar="SEAT", help="Whose value it is, where the metric has one for each seat.")
@place
@common
@pass_talk
def measure(talk: Talk, /, where: Where, run: str, metric: str, value: str, seat: str | None) -> int:
    """Enter the value of a metric that is measured by people (by: manual)."""
    return _put(talk, where, run, lambda: _input(kind="metric", metric=metric, value=said(value), seat=seat))


def _input(**told: Any) -> NewInput:
    from pyscrai.sdk.branching import input_of

    with makes_sense():
        return input_of(told)


def _put(talk: Talk, where: Where, run: str, made: Any) -> int:
    from pyscrai.cli.session import run_async, session

    wanted = made()

    async def work() -> int:
        from pyscrai.sdk.names import find_run
        from pyscrai.sdk.result import full_name

        async with session(where, talk) as at:
            found = await find_run(at.api, run)
            waiting = await at.api.courses.tell(found.id, wanted)
        if talk.json:
            talk.result(waiting.model_dump(mode="json"))
        else:
            when = "with the step that is open" if found.status in ("running", "waiting") else "when it goes on"
            talk.out.print(f"It enters {full_name(found)} {when}.", markup=False, soft_wrap=True)
        return OK

    return run_async(work)


@click.command(epilog=BRANCH_EPILOG)
@run_argument
@click.option("--at-turn", "turn", type=click.IntRange(0), help="After this turn; 0: before the first.")
@click.option("--at-seq", "seq", type=click.IntRange(1), help="After this line of the log: the end of a step.")
@click.option("--list", "listing", is_flag=True, help="Show where the run may be branched, and do nothing.")
@click.option("--model", metavar="MODEL", help="For every seat that has none of its own in this run.")
@seats("model", "temperature", "max_tokens", "instructions", "human")
@changes
@click.option("--turns", type=click.IntRange(1, 10_000), help="How many turns to play in all.")
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="Decides all chance from there on.")
@limit
@prices
@click.option("--group", metavar="NAME", help="A group of runs that share a limit.")
@click.option("--title", help="A title for the branch.")
@click.option("--engines", type=Engines(), default="actor=1,narrator=1,analyst=1", help="Engines to start.")
@click.option("--detach", is_flag=True, help="Do not watch; needs an API with engines.")
@click.option("--thoughts/--no-thoughts", default=True, help="Show what the seats think.")
@patience
@place
@common
@pass_talk
def branch(
    talk: Talk,
    /,
    where: Where,
    run: str,
    listing: bool,
    engines: Mapping[str, int],
    detach: bool,
    thoughts: bool,
    patience: float,
    **wanted: Any,
) -> int:
    """A new run that shares the story of RUN until after a turn, and goes on from there with what is changed."""
    from pyscrai.cli.session import run_async

    if listing:
        return _boundaries(talk, where, run)
    if (wanted["turn"] is None) == (wanted["seq"] is None):
        raise click.UsageError("say where: --at-turn N, or --at-seq N (see --list)")
    made = branch_from(**wanted)
    how = watching(thoughts=thoughts, patience=patience)
    return run_async(lambda: play_branch(talk, where, run, made, engines, how, detach=detach))


def branch_from(
    *,
    turns: int | None,
    limit: Any,
    model: str | None,
    seats: Any,
    seat_models: Any,
    edits: Any,
    facts: Any,
    world: Path | None,
    told: Any,
    prices: Any,
    **others: Any,
) -> NewBranch:
    """Raises BadParameter where a value makes no sense."""
    from pyscrai.sdk.branching import branch_of

    by_model = [(seat, "model", str(name)) for seat, name in seat_models]
    with makes_sense():
        return branch_of(
            end_turn=turns,
            credit_limit=limit,
            model=model,
            seats=by_seat(model, [*seats, *by_model]),
            edits=edits_of(edits),
            facts=dict(facts) or None,
            world=text_of(world),
            inputs=list(told),
            prices=dict(prices),
            **others,
        )


def watching(*, thoughts: bool, patience: float) -> Watch:
    """How a branch is watched: like a run of one's own."""
    from pyscrai.cli.watching import DEFAULT_MODEL, Watch

    default = os.environ.get("PYSCRAI_DEFAULT_MODEL") or DEFAULT_MODEL
    return Watch(pause=True, thoughts=thoughts, patience=patience, default_model=default)


async def play_branch(
    talk: Talk,
    where: Where,
    run: str,
    wanted: NewBranch,
    engines: Mapping[str, int],
    how: Watch,
    *,
    detach: bool = False,
    folder: Path | None = None,
) -> int:
    """Branch a run and watch what comes after the shared part."""
    from pyscrai.cli.exporting import export
    from pyscrai.cli.resuming import shown
    from pyscrai.cli.session import session, warn_without_engines
    from pyscrai.cli.watching import watch
    from pyscrai.sdk.names import find_run

    async with session(where, talk, engines=engines) as at:
        if detach and at.place.own:
            raise click.UsageError(
                "--detach needs an API that goes on without this command: `pyscrai up`, or --api-url"
            )
        found = await find_run(at.api, run)
        made = await at.api.courses.branch(found.id, wanted.model_copy(update={"pool": at.place.pool}))
        await warn_without_engines(at, talk)
        if detach:
            return shown(talk, made)
        after = 0 if made.branch_of is None else made.branch_of.seq
        code = await watch(made, at, talk, replace(how, show_from=after + 1))
        if folder is not None:
            await export(at, made.id, folder, talk)
        return code


def _boundaries(talk: Talk, where: Where, run: str) -> int:
    from pyscrai.cli.session import run_async, session

    async def work() -> int:
        from pyscrai.cli.tables import table
        from pyscrai.sdk.names import find_run

        async with session(where, talk) as at:
            found = await at.api.courses.boundaries((await find_run(at.api, run)).id)
        if talk.json:
            talk.result([one.model_dump(mode="json") for one in found])
        else:
            rows = [[str(one.seq), str(one.turn), one.phase or _whole(one.turn)] for one in found]
            table(talk.paper, ["--at-seq", "turn", "after"], rows, right={0, 1})
        return OK

    return run_async(work)


def _whole(turn: int) -> str:
    return "the whole turn" if turn else "the beginning"
