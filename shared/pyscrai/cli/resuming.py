"""`pyscrai runs resume`: go on with a run that stands still."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

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
    from pyscrai.contract.runs import Resume, Run


@click.command()
@click.argument("run", metavar="RUN")
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
    from pyscrai.cli.watching import DEFAULT_MODEL, Watch

    default = os.environ.get("PYSCRAI_DEFAULT_MODEL") or DEFAULT_MODEL
    how = Watch(pause=True, thoughts=thoughts, patience=patience, default_model=default, resumed=True)
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
