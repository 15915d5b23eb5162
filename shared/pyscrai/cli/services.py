"""`pyscrai api` and `pyscrai engine`: one service in the foreground, by `python -m`, never imported here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
KINDS = ("actor", "narrator", "analyst")


@click.command(context_settings=PASS_ON, add_help_option=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def api(options: tuple[str, ...]) -> int:
    """Run one API process, with the options of `python -m pyscrai_api`; without a database, on the embedded one."""
    given = any(option.split("=")[0] in ("--database-url", "-h", "--help") for option in options)
    if given or os.environ.get("PYSCRAI_DATABASE_URL"):
        become("pyscrai_api", options)
    return _with_embedded_database("pyscrai_api", options)


@click.command(context_settings=PASS_ON, add_help_option=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def engine(options: tuple[str, ...]) -> None:
    """Run one engine process: actor, narrator or analyst. Options are those of `python -m pyscrai_actor` and so on."""
    if not options or options[0] not in KINDS:
        raise click.UsageError(f"say which engine: pyscrai engine {'|'.join(KINDS)} [OPTIONS]")
    become(f"pyscrai_{options[0]}", options[1:])


def become(module: str, options: Sequence[str]) -> None:
    """Replace this process by the service, so that signals and the exit code are its own."""
    _installed(module)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, _argv(module, options))


def _with_embedded_database(module: str, options: Sequence[str]) -> int:
    """The service as a child that is told the embedded database's address, which we keep running meanwhile."""
    _installed(module)
    from pyscrai.cli.session import run_async

    return run_async(lambda: _child(module, options))


async def _child(module: str, options: Sequence[str]) -> int:
    import asyncio
    import signal

    from pyscrai.embedded import leash
    from pyscrai.embedded.database import embedded_database
    from pyscrai.machine.files import data_home

    # So that the service ends with us, whatever ends us (Linux).
    tied = [sys.executable, "-I", "-S", str(leash.__file__), str(os.getpid()), "SIGTERM"]
    argv = [*(tied if sys.platform == "linux" else []), *_argv(module, options)]
    loop = asyncio.get_running_loop()
    folder = data_home()
    with embedded_database(folder) as address:
        env = {**os.environ, "PYSCRAI_DATABASE_URL": address, "PYSCRAI_DATA": str(folder)}
        child = await asyncio.create_subprocess_exec(*argv, env=env, process_group=0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, child.send_signal, number)
        return await child.wait()


def _argv(module: str, options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", module, *options]


def _installed(module: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise click.ClickException(f"{module} is not installed here")
