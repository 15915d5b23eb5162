"""`pyscrai up`: the API and engines on this machine, for as long as the command runs."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from pyscrai.cli.options import Engines, common, pass_talk
from pyscrai.cli.talk import Talk

EPILOG = """\b
Examples:
  pyscrai up
  pyscrai up --engines actor=4,narrator=1,analyst=2 --port 9000
"""


@click.command(epilog=EPILOG)
@click.option("--port", type=click.IntRange(0, 65535), envvar="PYSCRAI_PORT", default=8000, show_default=True)
@click.option("--host", envvar="PYSCRAI_HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--engines", type=Engines(), default="actor=1,narrator=1,analyst=1", show_default=True)
@click.option("--token", envvar="PYSCRAI_TOKEN", metavar="TOKEN", help="What callers must show (PYSCRAI_TOKEN).")
@click.option("--database-url", envvar="PYSCRAI_DATABASE_URL", metavar="URL", help="Instead of the embedded database.")
@click.option("--data", metavar="FOLDER", type=click.Path(file_okay=False), help="Data folder (PYSCRAI_DATA).")
@common
@pass_talk
def up(
    talk: Talk,
    /,
    port: int,
    host: str,
    engines: Mapping[str, int],
    token: str | None,
    database_url: str | None,
    data: str | None,
) -> int:
    """Serve the API and engines on this machine until Ctrl-C. `pyscrai run` and the SDK find it by themselves."""
    from pyscrai.cli.session import run_async

    return run_async(lambda: _serve(talk, port, host, engines, token, database_url, data))


async def _serve(
    talk: Talk,
    port: int,
    host: str,
    engines: Mapping[str, int],
    token: str | None,
    database_url: str | None,
    data: str | None,
) -> None:
    from pathlib import Path

    from pyscrai.embedded.errors import Interrupted
    from pyscrai.embedded.stack import stack
    from pyscrai.machine.files import data_home, private_folder

    folder = private_folder(Path(data)) if data else data_home()
    talk.say("Starting PostgreSQL, API and engines …" if database_url is None else "Starting API and engines …")
    serving = stack(
        data=folder,
        database_url=database_url,
        engines=engines,
        host=host,
        port=port,
        token=token,
        publish=True,
        on_progress=lambda text: talk.say(f"{text} …"),
    )
    try:
        async with serving as running:
            await running.wait_engines()
            if talk.json:
                talk.result({"api_url": running.api_url, "engines": dict(running.engines), "pid": os.getpid()})
            else:
                _welcome(talk, running.api_url, running.engines, str(folder))
            await running.wait()
    except Interrupted:
        talk.say("Stopped. Runs that were not over go on when engines are back.")


def _welcome(talk: Talk, url: str, engines: Mapping[str, int], folder: str) -> None:
    paper = talk.paper
    paper.facts(
        [
            ("API", url),
            ("Documentation", f"{url}/docs"),
            ("Engines", ", ".join(f"{number} {kind}" for kind, number in engines.items()) or "none"),
            ("Data", folder),
            ("Play", "pyscrai run negotiation"),
            ("Stop", "Ctrl-C"),
        ]
    )
