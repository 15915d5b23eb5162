"""`pyscrai compare`: several runs beside each other, turn by turn."""

from __future__ import annotations

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import OK, Talk

EPILOG = """\b
Examples:
  pyscrai compare run-001 run-002 run-003
  pyscrai compare negotiation/run-001 last --json | jq .first_move

\b
Every run is held against the first one. Values and moves of all turns are in
the JSON; two runs line by line: pyscrai runs diff.
"""


@click.command(epilog=EPILOG)
@click.argument("runs", metavar="RUN RUN …", nargs=-1, required=True)
@place
@common
@pass_talk
def compare(talk: Talk, /, where: Where, runs: tuple[str, ...]) -> int:
    """Hold 2 to 20 runs beside each other: metrics, moves of seats, facts that differ, coalitions, outcome, cost."""
    from pyscrai.cli.session import run_async, session

    if len(runs) < 2:
        raise click.UsageError("name two runs or more")

    async def work() -> int:
        from pyscrai.cli.compared import show
        from pyscrai.sdk.comparing import comparison_of

        async with session(where, talk) as at:
            found = await comparison_of(at.api, runs)
        if talk.json:
            talk.result(found.model_dump(mode="json"))
        else:
            show(talk.paper, found)
        return OK

    return run_async(work)
