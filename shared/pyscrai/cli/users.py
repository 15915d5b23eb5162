"""`pyscrai users`: who may come in, with a token of their own."""

from __future__ import annotations

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import Talk

EPILOG = """\b
Examples:
  pyscrai users add alice
  pyscrai users list
  pyscrai users remove alice
"""


@click.group(epilog=EPILOG)
def users() -> None:
    """People with tokens of their own; for the holder of the installation's token."""


@users.command(epilog="\b\nExamples:\n  pyscrai users add alice\n")
@click.argument("name")
@place
@common
@pass_talk
def add(talk: Talk, /, where: Where, name: str) -> int:
    """Add somebody, and print their token, which is shown only here."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        async with session(where, talk) as at:
            added = await at.api.add_user(name)
        if talk.json:
            talk.result(added.model_dump(mode="json"))
        else:
            talk.paper.line(added.token)
            talk.say(f"{added.name} sets this token as PYSCRAI_TOKEN. It is not shown again.", "")

    return run_async(work)


@users.command("list", epilog="\b\nExamples:\n  pyscrai users list\n")
@place
@common
@pass_talk
def list_users(talk: Talk, /, where: Where) -> int:
    """Everybody who has a token of their own."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.cli.tables import table, when

        async with session(where, talk) as at:
            found = await at.api.users()
        if talk.json:
            talk.result([one.model_dump(mode="json") for one in found])
        elif found:
            rows = [(one.name, one.created_by, when(one.created_at)) for one in found]
            table(talk.paper, ("name", "added by", "since (UTC)"), rows)
        else:
            talk.say("Nobody has a token of their own. Add somebody: pyscrai users add NAME", "")

    return run_async(work)


@users.command(epilog="\b\nExamples:\n  pyscrai users remove alice\n")
@click.argument("name")
@place
@common
@pass_talk
def remove(talk: Talk, /, where: Where, name: str) -> int:
    """Take somebody's token and keys away, and pause what they have running."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        async with session(where, talk) as at:
            await at.api.remove_user(name)
        if talk.json:
            talk.result({"removed": name})
        else:
            talk.say(f"{name} is out. What they made stays, and is theirs again if they are added again.", "")

    return run_async(work)
