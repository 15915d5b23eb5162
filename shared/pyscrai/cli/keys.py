"""`pyscrai keys`: one's own keys of model providers, kept at the API. A key is typed or piped, never an argument."""

from __future__ import annotations

import sys

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import Talk
from pyscrai.domain.model_keys import VARIABLES

EPILOG = """\b
Examples:
  pyscrai keys
  pyscrai keys set openai
  pass show openai | pyscrai keys set openai
  pyscrai keys remove openai
"""
PROVIDER = click.Choice(sorted(VARIABLES))
base_url = click.option("--base-url", metavar="URL", help="Of openai-like: the server that the key is for.")


@click.group(epilog=EPILOG, invoke_without_command=True)
@click.pass_context
@place
@common
@pass_talk
def keys(talk: Talk, ctx: click.Context, /, where: Where) -> int | None:
    """Keys of model providers that you keep at the API: for your runs only, and never shown again."""
    return _list(talk, where) if ctx.invoked_subcommand is None else None


@keys.command("list", epilog="\b\nExamples:\n  pyscrai keys list --json\n")
@place
@common
@pass_talk
def list_keys(talk: Talk, /, where: Where) -> int:
    """Which keys you keep, and since when."""
    return _list(talk, where)


def _list(talk: Talk, where: Where) -> int:
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.cli.tables import table, when

        async with session(where, talk) as at:
            found = await at.api.keys()
        if talk.json:
            talk.result([one.model_dump(mode="json") for one in found])
        elif found:
            rows = [(one.provider, when(one.set_at), one.base_url or "") for one in found]
            table(talk.paper, ("provider", "since (UTC)", "server"), rows)
        else:
            talk.say("No keys are kept for you. Keep one: pyscrai keys set PROVIDER", "")

    return run_async(work)


@keys.command("set", epilog="\b\nExamples:\n  pyscrai keys set openai\n  pass show openai | pyscrai keys set openai\n")
@click.argument("provider", type=PROVIDER, metavar="PROVIDER")
@base_url
@place
@common
@pass_talk
def set_key(talk: Talk, /, where: Where, provider: str, base_url: str | None) -> int:
    """Keep a key, in place of an earlier one. It is asked for, or read from standard input."""
    from pyscrai.cli.session import run_async, session

    key = _read(provider)

    async def work() -> None:
        async with session(where, talk) as at:
            stored = await at.api.set_key(provider, key, base_url=base_url)
        if talk.json:
            talk.result(stored.model_dump(mode="json"))
        else:
            talk.say(f"Your runs use this key of {provider} from now on.", "")

    return run_async(work)


@keys.command(epilog="\b\nExamples:\n  pyscrai keys remove openai\n")
@click.argument("provider", type=PROVIDER, metavar="PROVIDER")
@base_url
@place
@common
@pass_talk
def remove(talk: Talk, /, where: Where, provider: str, base_url: str | None) -> int:
    """Forget a key."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        async with session(where, talk) as at:
            await at.api.remove_key(provider, base_url=base_url)
        if talk.json:
            talk.result({"removed": provider})
        else:
            talk.say(f"Your key of {provider} is forgotten.", "")

    return run_async(work)


def _read(provider: str) -> str:
    """The key: typed without being shown, or the whole of standard input. Raises UsageError for none."""
    if sys.stdin.isatty():
        from getpass import getpass

        key = getpass(f"Key of {provider} (it is not shown): ", stream=sys.stderr)
    else:
        key = sys.stdin.read()
    if not key.strip():
        raise click.UsageError("no key was given: type it, or pipe it in")
    return key.strip()
