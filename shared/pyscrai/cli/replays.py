"""`pyscrai runs replay`: play a run again from its recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from pyscrai.cli.options import Engines, Where, common, pass_talk, patience, place

if TYPE_CHECKING:
    from pyscrai.cli.talk import Talk
    from pyscrai.cli.watching import Watch
    from pyscrai.sdk.scenario import Scenario

EPILOG = """\b
Examples:
  pyscrai runs replay run-003               the same story, the same digest
  pyscrai runs replay last --with my/scenario.yaml
  pyscrai runs replay last --latest-prompts

\b
No model is asked: it needs no key and no network, and costs nothing. Where
something is asked that was not recorded, the run stops and shows what differs.
"""


@click.command(epilog=EPILOG)
@click.argument("run", metavar="RUN")
@click.option("--with", "scenario", metavar="FILE_OR_NAME", help="Hold this scenario against the recording.")
@click.option("--latest-prompts", is_flag=True, help="Take event types as they are now, not as they were.")
@click.option("--title", help="A title for the replay.")
@click.option("--engines", type=Engines(), default="actor=1,narrator=1,analyst=1", help="Engines to start.")
@click.option("--thoughts/--no-thoughts", default=True, help="Show what the seats think.")
@patience
@place
@common
@pass_talk
def replay(
    talk: Talk,
    /,
    where: Where,
    run: str,
    scenario: str | None,
    latest_prompts: bool,
    title: str | None,
    engines: Mapping[str, int],
    thoughts: bool,
    patience: float,
) -> int:
    """Play a run again with the answers that were recorded, watch it, and compare the digests."""
    from pyscrai.cli.scenarios import find_scenario
    from pyscrai.cli.session import run_async
    from pyscrai.cli.watching import Watch

    found = None if scenario is None else find_scenario(scenario)
    how = Watch(pause=True, thoughts=thoughts, patience=patience)
    return run_async(lambda: _replay(talk, run, found, where, engines, how, latest=latest_prompts, title=title))


async def _replay(
    talk: Talk,
    run: str,
    scenario: Scenario | str | None,
    where: Where,
    engines: Mapping[str, int],
    how: Watch,
    *,
    latest: bool,
    title: str | None,
) -> int:
    from dataclasses import replace

    from pyscrai.cli.session import session, warn_without_engines
    from pyscrai.cli.watching import watch
    from pyscrai.sdk.names import find_run
    from pyscrai.sdk.runner import start_replay

    async with session(where, talk, engines=engines) as at:
        recorded = await find_run(at.api, run)
        started = await start_replay(at.api, recorded, scenario, latest=latest, title=title, pool=at.place.pool)
        await warn_without_engines(at, talk)
        return await watch(started, at, talk, replace(how, recorded=recorded))
