"""`pyscrai providers`: the model providers, what may be asked of them, and whether they can be asked now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import Talk

if TYPE_CHECKING:
    from pyscrai.contract.providers import ProviderState

EPILOG = """\b
Examples:
  pyscrai providers
  pyscrai providers --json
"""
STYLES = {"now": "green"}


@click.command(epilog=EPILOG)
@place
@common
@pass_talk
def providers(talk: Talk, /, where: Where) -> int:
    """The model providers that are asked or have limits (PYSCRAI_PROVIDERS): open calls, and who wants a break."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        async with session(where, talk) as at:
            found = await at.api.providers()
        if talk.json:
            talk.result([one.model_dump(mode="json") for one in found])
        elif found:
            _table(talk, found)
        else:
            talk.say("No provider is being asked, and none has limits. Limits are declared with PYSCRAI_PROVIDERS.", "")

    return run_async(work)


def _table(talk: Talk, found: list[ProviderState]) -> None:
    from pyscrai.cli.charts import seconds
    from pyscrai.cli.tables import table

    none = "any"
    rows = [
        (
            f"{one.name} ({one.key_of})" if one.key_of else one.name,
            f"{one.open_calls} of {one.concurrency}" if one.concurrency else str(one.open_calls),
            str(one.requests_per_minute or none),
            str(one.tokens_per_minute or none),
            seconds(one.timeout) if one.timeout else none,
            f"in {seconds(one.free_in)}" if one.free_in else "now",
            one.blocked_by or "",
        )
        for one in found
    ]
    heads = ("provider", "open calls", "requests/min", "tokens/min", "time-out", "can be asked", "asked for a break")
    table(talk.paper, heads, rows, styles=STYLES)
