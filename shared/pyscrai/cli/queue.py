"""`pyscrai events lanes, pause, resume, drain, promote`: what is in the queue, and stopping some of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import FAILED, OK, Talk

if TYPE_CHECKING:
    from pyscrai.contract.operating import LaneState, Pause, QueueState

F = TypeVar("F", bound=Callable[..., Any])
LOOK_AGAIN = 0.5
"""Seconds between two looks at what is still being worked on."""
STYLES = {"paused": "yellow", "partly": "yellow"}


def what(command: F) -> F:
    """What is paused: a type, a lane, or everything."""
    options = (
        click.argument("event_type", metavar="[TYPE]", required=False, default=""),
        click.option("--lane", metavar="LANE", default="", help="Only in this lane; without a TYPE: the whole lane."),
        click.option("--all", "everything", is_flag=True, help="Everything, in every lane."),
    )
    for option in reversed(options):
        command = option(command)
    return command


REASON = click.option("--reason", metavar="TEXT", default="", help="Why; shown to whoever looks.")


@click.command()
@place
@common
@pass_talk
def lanes(talk: Talk, /, where: Where) -> int:
    """What is in the queue, lane by lane: how many events, since when, who works on them, and what is paused."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        async with session(where, talk) as at:
            state = await at.api.operating.queue()
        if talk.json:
            talk.result(state.model_dump(mode="json"))
        elif state.lanes or state.pauses:
            _lanes(talk, state)
        else:
            talk.say("Nothing is in the queue, and no engine is registered.", "")

    return run_async(work)


@click.command()
@what
@REASON
@place
@common
@pass_talk
def pause(talk: Talk, /, where: Where, event_type: str, lane: str, everything: bool, reason: str) -> int:
    """Give out no more events of a TYPE, or of a lane. What engines have already goes on to its end."""
    _said(event_type, lane, everything)
    from pyscrai.cli.session import run_async, session
    from pyscrai.contract.operating import NewPause

    async def work() -> None:
        async with session(where, talk) as at:
            wanted = NewPause(lane=lane, event_type=event_type, reason=reason)
            _shown(talk, _warned(talk, await at.api.operating.pause(wanted)))

    return run_async(work)


@click.command()
@what
@place
@common
@pass_talk
def resume(talk: Talk, /, where: Where, event_type: str, lane: str, everything: bool) -> int:
    """End a pause: what was held is given out again."""
    _said(event_type, lane, everything)
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        async with session(where, talk) as at:
            await at.api.operating.resume(lane, event_type)
            left = await at.api.operating.pauses()
        if talk.json:
            talk.result([one.model_dump(mode="json") for one in left])
        else:
            still = f" Still paused: {'; '.join(_name(one.event_type, one.lane) for one in left)}." if left else ""
            talk.say(f"{_name(event_type, lane, capital=True)} are given out again.{still}", "")

    return run_async(work)


@click.command()
@what
@REASON
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=600.0, show_default=True, help="Seconds to wait at most."
)
@place
@common
@pass_talk
def drain(
    talk: Talk, /, where: Where, event_type: str, lane: str, everything: bool, reason: str, timeout: float
) -> int:
    """Pause, and wait until no engine works on such an event any more. Exit code 1 where some still does."""
    _said(event_type, lane, everything)
    from pyscrai.cli.session import run_async, session
    from pyscrai.contract.operating import NewPause

    async def work() -> int:
        async with session(where, talk) as at:
            wanted = NewPause(lane=lane, event_type=event_type, reason=reason)
            made = _warned(talk, await at.api.operating.pause(wanted))
            done = await _drained(talk, at.api.operating, made, timeout)
            done = done.model_copy(update={"known": made.known, "near": made.near})
        _shown(talk, done)
        return OK if done.drained else FAILED

    return run_async(work)


async def _drained(talk: Talk, calls: Any, pause: Pause, timeout: float) -> Pause:
    """The pause once nothing of it is leased, or after so many seconds; says how many are left."""
    import anyio

    from pyscrai.cli.charts import count

    told, end = None, anyio.current_time() + timeout
    while not pause.drained and anyio.current_time() < end:
        if pause.leased != told:
            told = pause.leased
            talk.say(f"{count(told, 'event')} still being worked on …" if told else "Until every API knows of it …")
        await anyio.sleep(LOOK_AGAIN)
        found: list[Pause] = await calls.pauses()
        mine = [one for one in found if (one.lane, one.event_type) == (pause.lane, pause.event_type)]
        if not mine:
            raise click.ClickException("somebody has ended the pause")
        pause = mine[0]
    return pause


@click.command()
@click.argument("event_id", metavar="EVENT", type=click.IntRange(1))
@place
@common
@pass_talk
def promote(talk: Talk, /, where: Where, event_id: int) -> int:
    """Have a scheduled event at once, whatever time it waits for."""
    from pyscrai.cli.events import one_event

    return one_event(talk, where, lambda at: at.api.operating.promote(event_id))


def _said(event_type: str, lane: str, everything: bool) -> None:
    if everything == bool(event_type or lane):
        raise click.UsageError("say what: a TYPE, --lane LANE, both, or --all alone")


def _name(event_type: str, lane: str, *, capital: bool = False) -> str:
    what = f"events of type {event_type}" if event_type else "all events"
    text = f"{what} in lane {lane}" if lane else what
    return text[0].upper() + text[1:] if capital else text


def _warned(talk: Talk, pause: Pause) -> Pause:
    """The same; a name that nobody knows is told, since it may be mistyped."""
    if pause.known is False and not talk.json:
        hint = f" Did you mean {' or '.join(pause.near)}?" if pause.near else ""
        what = _name(pause.event_type, pause.lane)
        talk.say(f"Neither catalog, queue nor engines know {what}: this holds what may come.{hint}", "yellow")
    return pause


def _shown(talk: Talk, pause: Pause) -> None:
    from pyscrai.cli.charts import count

    if talk.json:
        talk.result(pause.model_dump(mode="json"))
        return
    at_work = f"{count(pause.leased, 'event')} still being worked on" if pause.leased else "nothing is being worked on"
    words = [*([pause.event_type] if pause.event_type else []), *(["--lane", pause.lane] if pause.lane else [])]
    talk.say(f"{_name(pause.event_type, pause.lane, capital=True)} are paused; {at_work}.", "")
    talk.say(f"To go on: pyscrai events resume {shlex.join(words) or '--all'}")


def _lanes(talk: Talk, state: QueueState) -> None:
    from pyscrai.cli.tables import table, when

    heads = ("lane", "ready", "oldest", "at work", "later", "waiting", "held", "dead", "engines", "")
    rows = [_row(lane) for lane in state.lanes]
    table(talk.paper, heads, rows, styles=STYLES, right=set(range(1, 8)))
    for one in state.pauses:
        why = f": {one.reason}" if one.reason else ""
        what = _name(one.event_type, one.lane, capital=True)
        talk.out.print(f"{what} are paused since {when(one.since)} UTC by {one.by}{why}", markup=False, soft_wrap=True)
    if any(lane.estimated for lane in state.lanes):
        talk.say("The queue is long: numbers are estimates from a sample, but for what is at work or dead.")


def _row(lane: LaneState) -> tuple[str, ...]:
    from pyscrai.cli.charts import seconds

    depth = lane.depth
    counts = [depth.ready, depth.leased, depth.scheduled, depth.waiting, depth.held, depth.dead]
    ready, *others = (str(number) if number else "" for number in counts)
    oldest = "" if lane.oldest_ready is None else seconds(lane.oldest_ready)
    engines = ", ".join(f"{number} {status}" for status, number in sorted(lane.engines.items())) or "none"
    remark = "paused" if lane.paused else "partly" if lane.paused_types else ""
    return (lane.lane, ready, oldest, *others, engines, remark)
