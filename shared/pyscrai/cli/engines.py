"""`pyscrai engines`: the processes that do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import FAILED, OK, Talk

if TYPE_CHECKING:
    from pyscrai.cli.session import Session
    from pyscrai.contract.engines import EngineInstance

EPILOG = """\b
Examples:
  pyscrai engines list
  pyscrai engine actor --api-url http://127.0.0.1:8000
  pyscrai engines drain 01a1f936 --wait
"""
STYLES = {"active": "green", "paused": "yellow", "draining": "yellow", "gone": "dim"}


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


ENGINE = click.argument("engine", metavar="ENGINE")


@engines.command()
@ENGINE
@place
@common
@pass_talk
def pause(talk: Talk, /, where: Where, engine: str) -> int:
    """Give an engine nothing more; it stays, and finishes what it has. ENGINE: its id, or how that begins."""
    return _stop(talk, where, engine, "pause")


@engines.command()
@ENGINE
@place
@common
@pass_talk
def resume(talk: Talk, /, where: Where, engine: str) -> int:
    """Give a paused engine work again."""
    return _stop(talk, where, engine, "resume")


@engines.command()
@ENGINE
@click.option("--wait", is_flag=True, help="Wait until it is gone.")
@click.option("--timeout", type=click.FloatRange(min=0), default=600.0, show_default=True, help="Seconds for --wait.")
@place
@common
@pass_talk
def drain(talk: Talk, /, where: Where, engine: str, wait: bool, timeout: float) -> int:
    """Have an engine finish what it has, and leave. Exit code 1 where --wait does not see it go."""
    return _stop(talk, where, engine, "drain", timeout if wait else None)


def _stop(
    talk: Talk, where: Where, name: str, verb: Literal["pause", "resume", "drain"], timeout: float | None = None
) -> int:
    from pyscrai.cli.session import run_async, session

    async def work() -> int:
        async with session(where, talk) as at:
            found = await at.api.operating.stop_engine(await _named(at, name), verb)
            if timeout is not None:
                found = await _gone(at, talk, found, timeout)
        if talk.json:
            talk.result(found.model_dump(mode="json"))
        else:
            talk.say(f"engine {found.id} ({found.lane}): {found.status}", "")
        return OK if timeout is None or found.status == "gone" else FAILED

    return run_async(work)


async def _named(at: Session, name: str) -> str:
    """The id of the one engine that lives and whose id begins so. Raises UsageError for none or several."""
    found = [one.id for one in await at.api.engines() if one.id.startswith(name.lower())]
    if len(found) != 1:
        what = f"{len(found)} engines have ids that begin" if found else "no engine that lives has an id that begins"
        raise click.UsageError(f"{what} with {name!r}: see pyscrai engines list")
    return found[0]


async def _gone(at: Session, talk: Talk, engine: EngineInstance, timeout: float) -> EngineInstance:
    import anyio

    told, end = None, anyio.current_time() + timeout
    while engine.status != "gone" and anyio.current_time() < end:
        if engine.current_workload != told:
            told = engine.current_workload
            talk.say(f"it works on {told} …")
        await anyio.sleep(0.5)
        engine = await at.api.engine(engine.id)
    return engine
