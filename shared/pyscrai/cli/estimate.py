"""`pyscrai estimate`: what a run would ask and cost, before anything is spent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from pyscrai.cli.options import Where, common, limit, pass_talk, place, prices, seats
from pyscrai.cli.talk import OK, Talk

if TYPE_CHECKING:
    from pyscrai.cli.session import Session
    from pyscrai.domain.choices import Choices
    from pyscrai.sdk.scenario import Scenario

EPILOG = """\b
Examples:
  pyscrai estimate negotiation --model gpt-4o-mini
  pyscrai estimate my/scenario.yaml --seat regulator.model=gpt-4o --turns 20
  pyscrai estimate negotiation --model gpt-4o-mini --json | jq .cost

\b
The numbers become better with every run that was paid for here.
"""


@click.command(epilog=EPILOG)
@click.argument("scenario", metavar="FILE_OR_NAME")
@click.option("--model", metavar="MODEL", help="For every seat, narrator and analyst.")
@click.option("--turns", "--end-turn", "turns", type=click.IntRange(1, 10_000), help="How many turns to play.")
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="Decides all chance in the run (0).")
@limit
@prices
@seats("model", "temperature", "max_tokens", "instructions", "human")
@place
@common
@pass_talk
def estimate(talk: Talk, /, scenario: str, where: Where, **options: Any) -> int:
    """Say how many calls and tokens a run takes and what it costs, by seat, phase and model. Nothing is spent."""
    from pyscrai.cli.run import choices_from
    from pyscrai.cli.scenarios import find_scenario, remarks
    from pyscrai.cli.session import run_async, session

    found = find_scenario(scenario)
    if not isinstance(found, str):
        remarks(found, scenario, talk)
    choices = choices_from(**options)

    async def work() -> int:
        from pyscrai.cli.estimates import page
        from pyscrai.sdk.estimates import estimate_of

        async with session(where, talk) as at:
            told = await estimate_of(at.api, found, choices)
        if talk.json:
            talk.result(told.model_dump(mode="json"))
        else:
            page(talk.paper, told)
        return OK

    return run_async(work)


async def foretell(at: Session, scenario: Scenario | str, choices: Choices, talk: Talk) -> None:
    """In two lines what a run is going to cost, where any of its models costs anything."""
    from pyscrai.cli.estimates import in_short
    from pyscrai.sdk.estimates import estimate_of, may_cost

    # Of somebody else's API nobody here knows the default model.
    free = at.place.own and not may_cost(scenario, choices, os.environ.get("PYSCRAI_DEFAULT_MODEL"))
    if talk.quiet or free:
        return
    told = await estimate_of(at.api, scenario, choices)
    for line, style in in_short(told):
        talk.say(line, style)
