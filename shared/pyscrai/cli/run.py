"""`pyscrai run`: play a scenario and watch it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyscrai.cli.changing import changes, edits_of
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
from pyscrai.cli.seat.options import people
from pyscrai.cli.talk import Talk

if TYPE_CHECKING:
    from pyscrai.cli.watching import Watch
    from pyscrai.domain.choices import Choices
    from pyscrai.sdk.scenario import Scenario

EPILOG = """\b
Examples:
  pyscrai run negotiation                          an example, without a key
  pyscrai run my/scenario.yaml --model gpt-4o-mini --limit 0.50
  pyscrai run negotiation --seat regulator.model=gpt-4o --turns 5 --seed 7
  pyscrai run negotiation --json | jq -r .log_digest
  pyscrai run negotiation --out negotiation-1      leaves a folder to read
  pyscrai run negotiation --human mill             you play a seat

\b
Without an API (--api-url, PYSCRAI_API_URL, or a running `pyscrai up`) it
starts PostgreSQL, an API and engines for this run, and ends them with it.
Ctrl-C pauses the run and says how to resume it; a second one quits at once.
"""


@click.command(epilog=EPILOG)
@click.argument("scenario", metavar="FILE_OR_NAME", required=False)
@click.option("--model", metavar="MODEL", help="For every seat, narrator and analyst; `rehearsal` needs no key.")
@click.option("--turns", "--end-turn", "turns", type=click.IntRange(1, 10_000), help="How many turns to play.")
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="Decides all chance in the run (0).")
@limit
@prices
@seats("model", "temperature", "max_tokens", "instructions", "human")
@people
@click.option("--engines", type=Engines(), default="actor=1,narrator=1,analyst=1", help="Engines to start.")
@click.option("--cache", is_flag=True, help="Take answers that the same requests got before, and keep new ones.")
@click.option("--group", metavar="NAME", help="A group of runs that share a limit (`pyscrai limits set group`).")
@click.option("--title", help="A title for this run.")
@click.option("--resume", metavar="RUN", help="Go on with this run instead, as `pyscrai runs resume` does.")
@click.option("--branch-from", metavar="RUN", help="Branch this run instead, as `pyscrai runs branch` does.")
@click.option("--branch-at-turn", type=click.IntRange(0), help="The turn after which it is branched.")
@changes
@click.option("--thoughts/--no-thoughts", default=True, help="Show what the seats think.")
@out
@patience
@place
@common
@pass_talk
def run(
    talk: Talk,
    /,
    scenario: str | None,
    where: Where,
    engines: Mapping[str, int],
    thoughts: bool,
    patience: float,
    out: Path | None,
    force: bool,
    people: Mapping[str, Any],
    resume: str | None,
    branch_from: str | None,
    branch_at_turn: int | None,
    **options: Any,
) -> int:
    """Play a scenario and watch it. FILE_OR_NAME is a file, a folder, a shipped example, or a name in the catalog.

    With --resume or --branch-from it goes on with a run, or with a branch of it; the scenario is that run's.
    """
    from pyscrai.cli.exporting import free_folder
    from pyscrai.cli.going_on import going_on_from
    from pyscrai.cli.scenarios import find_scenario, remarks
    from pyscrai.cli.session import run_async
    from pyscrai.cli.watching import DEFAULT_MODEL, Watch

    going_on = going_on_from(resume, branch_from, branch_at_turn, options, people)
    folder = free_folder(out, force)
    if going_on is not None:
        return going_on(talk, where, engines, folder, thoughts=thoughts, patience=patience)
    if scenario is None:
        raise click.UsageError("Missing argument 'FILE_OR_NAME': a file, a folder, an example, a name in the catalog")
    found = find_scenario(scenario)
    if not isinstance(found, str):
        remarks(found, scenario, talk)
    choices = seated(choices_from(**options), people)
    default = os.environ.get("PYSCRAI_DEFAULT_MODEL") or DEFAULT_MODEL
    how = Watch(pause=True, thoughts=thoughts, source=scenario, patience=patience, default_model=default)
    return run_async(lambda: _play(talk, found, choices, where, engines, how, folder))


def choices_from(
    *,
    turns: int | None,
    limit: Any,
    model: str | None,
    seats: Any,
    prices: Any,
    edits: Any = (),
    seat_models: Any = (),
    **others: Any,
) -> Choices:
    """Raises BadParameter where a seat's value makes no sense."""
    from pyscrai.sdk.choices import choices_of

    with makes_sense():
        return choices_of(
            end_turn=turns,
            credit_limit=limit,
            model=model,
            seats=by_seat(model, [*seats, *((seat, "model", str(name)) for seat, name in seat_models)]),
            prices=dict(prices),
            edits=edits_of(edits),
            **others,
        )


def seated(choices: Choices, people: Mapping[str, Mapping[str, Any]]) -> Choices:
    """The same choices with people at these seats."""
    from pyscrai.domain.choices import SeatChoice

    before = {seat: choices.seats.get(seat) or SeatChoice() for seat in people}
    with makes_sense():
        told = {
            seat: SeatChoice.model_validate({**before[seat].model_dump(exclude_none=True), **one})
            for seat, one in people.items()
        }
    return choices.model_copy(update={"seats": {**choices.seats, **told}})


async def _play(
    talk: Talk,
    scenario: Scenario | str,
    choices: Choices,
    where: Where,
    engines: Mapping[str, int],
    how: Watch,
    folder: Path | None,
) -> int:
    from pyscrai.cli.estimate import foretell
    from pyscrai.cli.exporting import export
    from pyscrai.cli.seat.beginning import sit_down
    from pyscrai.cli.session import session, warn_without_engines
    from pyscrai.cli.watching import watch
    from pyscrai.sdk.runner import start

    async with session(where, talk, engines=engines) as at:
        await foretell(at, scenario, choices, talk)
        started = await start(at.api, scenario, choices, pool=at.place.pool)
        await warn_without_engines(at, talk)
        sitting = await sit_down(started, at, talk, how)
        code = await watch(started, at, talk, how) if sitting is None else sitting
        if folder is not None:
            await export(at, started.id, folder, talk)
        return code
