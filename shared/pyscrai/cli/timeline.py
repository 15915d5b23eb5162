"""`pyscrai scenarios timeline`: what will happen to a world from outside, before anything is played."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import Talk

if TYPE_CHECKING:
    from pyscrai.domain.timeline import Timeline

EPILOG = """\b
Examples:
  pyscrai scenarios timeline my/scenario
  pyscrai scenarios timeline dry-summer --seed 7 --turns 12

\b
Signs:
  #  happens in every run
  o  happens in a run with this seed
  ?  may happen then, where its condition on metrics holds
"""


@click.command(epilog=EPILOG)
@click.argument("scenario")
@click.option("--turns", type=click.IntRange(1, 10_000), help="Turns to look at; the scenario's, by default.")
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), default=0, show_default=True, help="What chance depends on.")
@place
@common
@pass_talk
def timeline(talk: Talk, /, where: Where, scenario: str, turns: int | None, seed: int) -> int:
    """What happens from outside, and when: certain, drawn by a seed, conditional. Plays nothing and costs nothing.

    SCENARIO is a file, a folder, a shipped example or a name in the catalog; only the last one needs the API.
    """
    from pyscrai.cli.scenarios import find_scenario
    from pyscrai.cli.session import run_async, session
    from pyscrai.domain.timeline import timeline as told

    found = find_scenario(scenario)
    if not isinstance(found, str):
        _show(talk, told(found.document, seed, turns))
        return 0

    async def work() -> None:
        from pyscrai.sdk.insights import timeline as asked

        async with session(where, talk) as at:
            _show(talk, await asked(at.api, found, seed=seed, turns=turns))

    return run_async(work)


def _show(talk: Talk, found: Timeline) -> None:
    if talk.json:
        talk.result(found.model_dump(mode="json"))
    elif found.happenings:
        from pyscrai.cli.foretold import show

        show(talk.paper, found)
    else:
        talk.say("Nothing happens from outside in this scenario: it has no happenings.", "")
