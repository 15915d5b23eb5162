"""`pyscrai runs knows` and `runs patterns`: questions to a log."""

from __future__ import annotations

from typing import Any

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import Talk

KNOWS_EPILOG = """\b
Examples:
  pyscrai runs knows last --seat mayor --turn 2      all that the mayor could know then
  pyscrai runs knows last --entry 41                 who could know of line 41 of the log
"""


@click.command(epilog=KNOWS_EPILOG)
@click.argument("run", metavar="RUN")
@click.option("--seat", metavar="NAME", help="What this seat could know.")
@click.option("--turn", type=click.IntRange(0), help="At the end of this turn; now, by default.")
@click.option("--at", type=click.IntRange(1), help="When the log had so many lines.")
@click.option("--entry", type=click.IntRange(1), metavar="NUMBER", help="Who could know of this line of the log.")
@place
@common
@pass_talk
def knows(
    talk: Talk, /, where: Where, run: str, seat: str | None, turn: int | None, at: int | None, entry: int | None
) -> int:
    """Who could know what, and since when."""
    from pyscrai.cli.session import run_async, session

    if (seat is None) == (entry is None):
        raise click.UsageError("one of --seat NAME (what it could know) and --entry NUMBER (who could know)")

    async def work() -> None:
        from pyscrai.sdk import insights
        from pyscrai.sdk.names import find_run

        async with session(where, talk) as api:
            found = await find_run(api.api, run)
            told: Any
            if entry is not None:
                told = await insights.known(api.api, found.id, entry)
            else:
                told = await insights.knowledge(api.api, found.id, str(seat), turn=turn, at=at)
            if talk.json:
                talk.result(told.model_dump(mode="json"))
                return
            from pyscrai.cli.knowing import show_knowledge, show_known
            from pyscrai.cli.watching import DEFAULT_MODEL, bill_of

            bill = await bill_of(api.api, found.id, DEFAULT_MODEL)
            show_known(talk.paper, bill, told) if entry is not None else show_knowledge(talk.paper, bill, told)

    return run_async(work)


@click.command()
@click.argument("run", metavar="RUN")
@place
@common
@pass_talk
def patterns(talk: Talk, /, where: Where, run: str) -> int:
    """Where a run turned, who answered and moved whom, and where seats stood: counted from its log, no model asked."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.sdk import insights
        from pyscrai.sdk.names import find_run

        async with session(where, talk) as api:
            found = await find_run(api.api, run)
            told = await insights.patterns(api.api, found.id)
            if talk.json:
                talk.result(told.model_dump(mode="json"))
                return
            from pyscrai.cli.patterns import show
            from pyscrai.cli.watching import DEFAULT_MODEL, bill_of

            show(talk.paper, await bill_of(api.api, found.id, DEFAULT_MODEL), told)

    return run_async(work)
