"""`pyscrai costs`, `pyscrai runs costs`, `pyscrai prices`: what was spent, and what models cost."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import Talk

RUN_PARTS = ("seat", "phase", "model", "turn")
PARTS = ("user", "model", "day", "scenario", "group")
RUN_EPILOG = """\b
Examples:
  pyscrai runs costs last
  pyscrai runs costs run-003 --by seat --by model
  pyscrai runs costs last --json | jq '.by.seat[] | {key, cost}'
"""
EPILOG = """\b
Examples:
  pyscrai costs
  pyscrai costs --by user --since 2026-11-01
  pyscrai costs --by scenario --json

\b
You see what is yours; the holder of the installation's token sees all.
Calls that cost nothing are not counted.
"""
PRICES_EPILOG = """\b
Examples:
  pyscrai prices gpt-4o-mini claude-3-haiku
  pyscrai prices https://api.deepseek.com/v1#deepseek-chat
  pyscrai prices --run last
  pyscrai prices                       what this installation has declared

\b
A run's own prices go before the installation's (PYSCRAI_PRICES), and those
before the published list. A model that nobody knows is refused.
"""


@click.command("costs", epilog=RUN_EPILOG)
@click.argument("run", metavar="RUN")
@click.option(
    "--by", "parts", type=click.Choice(RUN_PARTS), multiple=True, help="Only this breakdown; may be repeated."
)
@place
@common
@pass_talk
def of_run(talk: Talk, /, where: Where, run: str, parts: tuple[str, ...]) -> int:
    """What a run has cost by seat, phase, model and turn."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.cli.bills import run_costs
        from pyscrai.contract.costs import RunPart
        from pyscrai.sdk.names import find_run
        from pyscrai.sdk.result import full_name

        async with session(where, talk) as at:
            found = await find_run(at.api, run)
            wanted = [part for part in get_args(RunPart) if part in parts]
            costs = await at.api.run_costs(found.id, by=wanted)
        if talk.json:
            talk.result(costs.model_dump(mode="json"))
        else:
            run_costs(talk.paper, full_name(found), costs)

    return run_async(work)


@click.command(epilog=EPILOG)
@click.option("--by", "part", type=click.Choice(PARTS), default="day", show_default=True, help="What to add up by.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="From this day on, UTC (the last 30 days).")
@click.option("-n", "--number", type=click.IntRange(1, 1000), default=50, show_default=True, help="Lines, at most.")
@place
@common
@pass_talk
def costs(talk: Talk, /, where: Where, part: str, since: datetime | None, number: int) -> int:
    """What was spent in this installation, by day, model, user, scenario or group."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.cli.bills import installation_costs
        from pyscrai.contract.costs import Part

        (by,) = (one for one in get_args(Part) if one == part)
        day = None if since is None else since.date().isoformat()
        async with session(where, talk) as at:
            found = await at.api.costs(by=by, since=day, limit=number)
        if talk.json:
            talk.result(found.model_dump(mode="json"))
        else:
            installation_costs(talk.paper, found)

    return run_async(work)


@click.command(epilog=PRICES_EPILOG)
@click.argument("models", metavar="[MODEL]…", nargs=-1)
@click.option("--run", metavar="RUN", help="With the prices that this run has declared.")
@place
@common
@pass_talk
def prices(talk: Talk, /, where: Where, models: tuple[str, ...], run: str | None) -> int:
    """What models cost, in US dollars per million tokens, and who says so."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.cli.bills import price_table
        from pyscrai.sdk.names import find_run

        async with session(where, talk) as at:
            run_id = None if run is None else (await find_run(at.api, run)).id
            found = await at.api.prices(models, run_id=run_id)
        if talk.json:
            talk.result([info.model_dump(mode="json") for info in found])
        elif found:
            price_table(talk.paper, found)
        else:
            talk.say("No prices are declared here. Ask for a model: pyscrai prices gpt-4o-mini", "")

    return run_async(work)
