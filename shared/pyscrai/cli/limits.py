"""`pyscrai limits`: the limits that hold for several runs together, and what has been taken of them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, cast

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import Talk

if TYPE_CHECKING:
    from pyscrai.contract.limits import LimitScope, WiderLimit

EPILOG = """\b
Examples:
  pyscrai limits
  pyscrai limits set day 5
  pyscrai limits set group pilot 20
  pyscrai limits set installation none
"""
SCOPES = ("group", "day", "week", "installation", "events")
WIDTH = 12
USER = click.option("--user", metavar="NAME", help="Somebody else's, with the installation's token.")


@click.group(epilog=EPILOG, invoke_without_command=True)
@USER
@place
@common
@pass_talk
@click.pass_context
def limits(context: click.Context, talk: Talk, /, where: Where, user: str | None) -> int | None:
    """Limits of groups of runs, of your day and week, of the installation, and of events without a run."""
    if context.invoked_subcommand is not None:
        return None
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        async with session(where, talk) as at:
            _show(talk, await at.api.limits(user=user))

    return run_async(work)


@limits.command("set")
@click.argument("scope", type=click.Choice(SCOPES))
@click.argument("name_and_amount", nargs=-1, required=True, metavar="[NAME] AMOUNT")
@USER
@place
@common
@pass_talk
def set_limit(talk: Talk, /, scope: str, name_and_amount: tuple[str, ...], where: Where, user: str | None) -> int:
    """Set a limit in US dollars, or `none`. Runs that were out of money go on at once where it allows that."""
    from pyscrai.cli.session import run_async, session

    if len(name_and_amount) != (2 if scope == "group" else 1):
        raise click.UsageError("limits set group NAME AMOUNT" if scope == "group" else f"limits set {scope} AMOUNT")
    name, amount = name_and_amount[0] if scope == "group" else "", _amount(name_and_amount[-1])

    async def work() -> None:
        async with session(where, talk) as at:
            _show(talk, await at.api.set_limit(cast("LimitScope", scope), amount, name=name, user=user))

    return run_async(work)


def _amount(text: str) -> Decimal | None:
    """Raises BadParameter for what is no amount of money."""
    from pyscrai.sdk.choices import limit_of

    try:
        found = limit_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="AMOUNT") from None
    return None if found in (None, "none") else Decimal(str(found))


def _show(talk: Talk, found: list[WiderLimit]) -> None:
    from pyscrai.cli.charts import bar, money
    from pyscrai.cli.tables import table, when

    if talk.json:
        talk.result([one.model_dump(mode="json") for one in found])
        return
    rows = [
        (
            f"{one.scope} {one.name}".strip(),
            money(one.limit),
            money(one.taken),
            bar(min(1.0, float(one.taken / one.limit)), WIDTH, talk.paper.glyphs) if one.limit else "",
            "" if one.free is None else money(one.free),
            when(one.anew_at) if one.anew_at else "never",
        )
        for one in found
    ]
    table(talk.paper, ("of", "limit", "taken", "", "free", "anew (UTC)"), rows, right={1, 2, 4})
