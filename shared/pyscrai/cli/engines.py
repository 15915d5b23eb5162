"""`pyscrai engines`: the processes that do the work."""

from __future__ import annotations

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import Talk

EPILOG = """\b
Examples:
  pyscrai engines list
  pyscrai engine actor --api-url http://127.0.0.1:8000
"""
STYLES = {"active": "green", "draining": "yellow", "gone": "dim"}


@click.group(epilog=EPILOG)
def engines() -> None:
    """The engines that are registered: what they serve, and when they last gave a sign of life."""


@engines.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are gone.")
@place
@common
@pass_talk
def list_engines(talk: Talk, /, where: Where, everything: bool) -> int:
    """The engines that are registered now."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.cli.tables import table, when

        async with session(where, talk) as at:
            found = [one for one in await at.api.engines() if everything or one.status != "gone"]
        if talk.json:
            talk.result([one.model_dump(mode="json") for one in found])
        elif found:
            heads = ("engine", "lane", "status", "busy with", "last sign (UTC)", "about")
            rows = [
                (
                    one.id,
                    one.lane,
                    one.status,
                    f"{one.current_workload}/{one.resource_limits.max_concurrent_events}",
                    when(one.last_heartbeat),
                    ", ".join(f"{key} {value}" for key, value in one.engine_metadata.items()),
                )
                for one in found
            ]
            table(talk.paper, heads, rows, styles=STYLES)
        else:
            talk.say("No engines. Start some: pyscrai up, or one: pyscrai engine actor --api-url URL", "")

    return run_async(work)
