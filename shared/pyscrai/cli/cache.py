"""`pyscrai cache`: the answers that runs with --cache have kept."""

from __future__ import annotations

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import Talk

EPILOG = """\b
Examples:
  pyscrai run negotiation --model gpt-4o-mini --cache
  pyscrai cache show
  pyscrai cache clear
"""


@click.group(epilog=EPILOG)
def cache() -> None:
    """Answers that runs with --cache have kept, for the same requests under the same seed."""


@cache.command()
@place
@common
@pass_talk
def show(talk: Talk, /, where: Where) -> int:
    """How many answers there are, and how many calls they have saved."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        async with session(where, talk) as at:
            held = await at.api.cache()
        if talk.json:
            talk.result(held.model_dump(mode="json"))
            return
        talk.out.print(
            f"{held.answers:,} answers ({held.bytes / 1e6:.1f} MB), kept for {held.days:g} days; "
            f"{held.hits:,} calls were answered from here.",
            markup=False,
            soft_wrap=True,
        )

    return run_async(work)


@cache.command()
@place
@common
@pass_talk
def clear(talk: Talk, /, where: Where) -> int:
    """Forget them all."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        async with session(where, talk) as at:
            held = await at.api.cache()
            await at.api.clear_cache()
        if talk.json:
            talk.result({"cleared": held.answers})
        else:
            talk.say(f"{held.answers:,} answers are forgotten.", "")

    return run_async(work)
