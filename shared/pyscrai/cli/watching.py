"""Watching a run from its stream to its end: the same for `run`, `runs watch` and `runs resume`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import anyio

from pyscrai.cli import pages
from pyscrai.cli.charts import seconds
from pyscrai.cli.play import Play
from pyscrai.cli.playbill import Playbill, playbill
from pyscrai.cli.prose import one_line
from pyscrai.cli.seat.knowing import countdown
from pyscrai.cli.session import Session
from pyscrai.cli.status import StatusLine, status_line
from pyscrai.cli.talk import FAILED, OK, STANDS_STILL, Talk
from pyscrai.cli.trouble import differences, resume_command, what_to_do, why
from pyscrai.cli.vigil import Stalled, vigil
from pyscrai.client.api import Api
from pyscrai.client.errors import ApiUnreachable, ClientError, Unavailable
from pyscrai.contract.costs import CostNow
from pyscrai.contract.runs import Delivered, Run
from pyscrai.contract.seats import Asked
from pyscrai.sdk.follow import follow
from pyscrai.sdk.place import ONE_OF_EACH
from pyscrai.sdk.result import RunResult, full_name, result_of

SECONDS_TO_PAUSE = 10.0
PROGRESS_SECONDS = 1.0
LONG_WAIT = 5.0
"""Seconds of waiting that are worth a line of their own."""
EXIT_OF_STATUS = {"completed": OK, "cancelled": OK, "failed": FAILED}
DEFAULT_MODEL = "rehearsal"


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How to watch. `pause`: the run is this command's own, so that Ctrl-C pauses it. `events`: each line of the log
    as JSON. `source`: what the user called the scenario. `show_from`: earlier lines of the log are only counted.
    `resumed`: the reader has seen the beginning before. `recorded`: the run that is replayed, to compare with.
    `patience`: seconds to wait while the API is in trouble."""

    pause: bool = False
    through_pauses: bool = False
    thoughts: bool = True
    events: bool = False
    source: str | None = None
    show_from: int = 0
    resumed: bool = False
    recorded: Run | None = None
    patience: float = 60.0
    default_model: str = DEFAULT_MODEL


async def watch(run: Run, session: Session, talk: Talk, how: Watch) -> int:
    """Show a run until it ends or stands still; returns the exit code.

    Cancelled (by Ctrl-C), it pauses a run of its own, says how to go on, and lets the cancellation pass.
    """
    began = time.monotonic()
    api = session.api
    bill = await bill_of(api, run.id, how.default_model)
    play = Play(talk.paper, bill, thoughts=how.thoughts)
    if not talk.json and not talk.quiet:
        pages.heading(talk.paper, run, bill, await engines_of(session), _version())
    log: list[Delivered] = []
    try:
        with status_line(talk.paper, shown=talk.live) as status:
            async with vigil(api, how.patience, talk.say), _progress(api, run, status, talk):
                await _follow(api, run, play, status, talk, how, log)
    except asyncio.CancelledError:
        await interrupted(api, run, talk, pause=how.pause)
        raise
    except (ApiUnreachable, Unavailable, Stalled) as error:
        return _gave_up(error, run, talk, pause=how.pause)
    times = pages.Times(start_up=session.start_up, play=time.monotonic() - began)
    return _report(await api.run(run.id), log, play, talk, how, times)


async def _follow(
    api: Api, run: Run, play: Play, status: StatusLine, talk: Talk, how: Watch, log: list[Delivered]
) -> None:
    def spent(now: CostNow) -> None:
        status.spent(now.spent, now.limit)

    following = follow(api, run.id, through_pauses=how.through_pauses, patience=how.patience, costs=spent)
    async with aclosing(following) as entries:
        async for entry in entries:
            log.append(entry)
            if how.events and talk.json:
                talk.result(entry.model_dump(mode="json"))
            if entry.seq < how.show_from or talk.json or talk.quiet:
                play.remember(entry)
            else:
                play.show(entry)
            status.doing(_status(play, entry))
            status.progress(open_events=None, cost=entry.cost, limit=run.limit)


def _status(play: Play, entry: Delivered) -> str:
    """The next thing to happen, with its place in the run; nothing once it is over."""
    if not play.doing:
        return ""
    place = f"Message {entry.turn}" if play.bill.is_dialogue else f"Turn {entry.turn} of {play.turns}"
    return f"{place} {play.paper.glyphs.dot} {play.doing}" if entry.turn else play.doing


@asynccontextmanager
async def _progress(api: Api, run: Run, status: StatusLine, talk: Talk) -> AsyncIterator[None]:
    """Ask now and then how many answers are still missing, what the run costs meanwhile, and what it waits for."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_ask, api, run.id, status, talk)
        yield
        tasks.cancel_scope.cancel()


async def _ask(api: Api, run_id: str, status: StatusLine, talk: Talk) -> None:
    said = ""
    while True:
        await anyio.sleep(PROGRESS_SECONDS)
        try:
            run = await api.run(run_id)
        except ClientError:
            continue  # the stream is the one to say that the API is gone
        status.progress(open_events=run.open, cost=run.spent, limit=run.limit)
        if run.status == "pending" and run.reason is not None:
            status.doing(f"Waiting for a place {status.dot} {one_line(run.reason.message)}")
            if not talk.live and run.reason.message != said:
                said = run.reason.message
                talk.say(f"Waiting for a place: {one_line(said)}")
            continue
        if run.status == "waiting" and run.asks:
            said = _for_people(run.asks, status, talk, said)
            continue
        late = run.waiting_for
        status.waits("" if late is None else f"{seconds(late.seconds)} more: {one_line(late.reason)}")
        if late is not None and not talk.live and late.seconds >= LONG_WAIT and late.reason != said:
            # Where no line is redrawn in place, it is said once.
            talk.say(f"Waiting {seconds(late.seconds)} more: {one_line(late.reason)}")
            said = late.reason


def _for_people(asks: Sequence[Asked], status: StatusLine, talk: Talk, said: str) -> str:
    """Whom the run waits for, until when; where no line is redrawn in place, once for each question."""
    who = ", ".join(dict.fromkeys(asked.title for asked in asks))
    left = countdown(asks[0])
    status.doing(f"Waiting for {who}")
    status.waits(left)
    what = f"Waiting for {who}, turn {asks[0].turn}{f': {left}' if left else '.'}"
    key = ",".join(str(asked.event_id) for asked in asks)
    if not talk.live and key != said:
        talk.say(f"{what} Play: pyscrai play {asks[0].run} --seat {asks[0].seat}")
    return key


async def interrupted(api: Api, run: Run, talk: Talk, *, pause: bool) -> None:
    """Pause a run of one's own, or leave it alone, and say how to go on."""
    if not pause:
        talk.say(f"Stopped watching. {full_name(run)} plays on: pyscrai runs watch {full_name(run)}")
        return
    talk.say("Pausing …")
    with anyio.CancelScope(shield=True), anyio.move_on_after(SECONDS_TO_PAUSE):
        try:
            await api.pause(run.id)
        except ClientError as error:
            now = await _state(api, run.id)
            if now is None or now.status not in EXIT_OF_STATUS:
                talk.complain(f"{full_name(run)} could not be paused: {error}", _how_to_resume(run))
            return
    talk.complain(f"Interrupted: {full_name(run)} is paused.", _how_to_resume(run), "interrupted")


def _gave_up(error: Exception, run: Run, talk: Talk, *, pause: bool) -> int:
    """The run is not over, and nothing comes any more: say why, and how to go on when that is mended."""
    name = full_name(run)
    go_on = resume_command(run) if pause else f"pyscrai runs watch {name}"
    talk.complain(f"{name} cannot go on: {error}", f"When that is mended, go on: {go_on}", "stalled")
    return FAILED


async def _state(api: Api, run_id: str) -> Run | None:
    try:
        return await api.run(run_id)
    except ClientError:
        return None


def _how_to_resume(run: Run) -> str:
    return f"Go on: {resume_command(run)}"


def _report(run: Run, log: list[Delivered], play: Play, talk: Talk, how: Watch, times: pages.Times) -> int:
    """The end of the page, or the JSON result; what went wrong also where nobody sees the page."""
    code = EXIT_OF_STATUS.get(run.status, STANDS_STILL)
    if talk.json:
        if not how.events:
            talk.result(summary(result_of(run, log), times) | against(run, how.recorded))
    elif not talk.quiet:
        again = pages.next_steps(run, how.source)
        pages.ending(talk.paper, run, play.measures, play.reason, times, again=again)
        if how.recorded is not None:
            pages.comparison(talk.paper, run, how.recorded)
    else:
        talk.out.print(f"{full_name(run)} {run.status} {run.log_digest}", markup=False, soft_wrap=True)
    if code and (talk.json or talk.quiet):
        advice = "\n".join([*differences(run), *what_to_do(run)])
        talk.complain(why(run), advice, run.reason.code if run.reason else run.status)
    return code


def summary(result: RunResult, times: pages.Times | None = None) -> dict[str, object]:
    """A run as one JSON object."""
    values: dict[str, object] = {
        "id": result.id,
        "run": result.name,
        "serial": result.serial,
        "title": result.title,
        "status": result.status,
        "reason": result.reason.model_dump(mode="json") if result.reason else None,
        "outcome": result.outcome,
        "turns": result.turns,
        "metrics": result.metrics,
        "model_calls": result.model_calls,
        "total_cost": f"{result.total_cost:f}",
        "limit": f"{result.limit:f}" if result.limit is not None else None,
        "seed": result.seed,
        "log_digest": result.log_digest,
    }
    if times is not None:
        values["seconds"] = {"start_up": round(times.start_up, 3), "play": round(times.play, 3)}
    return values


def against(run: Run, recorded: Run | None) -> dict[str, object]:
    """How a replay compares with its recording."""
    if recorded is None:
        return {}
    same = run.log_digest == recorded.log_digest
    return {"replay_of": full_name(recorded), "recorded_digest": recorded.log_digest, "same_digest": same}


async def bill_of(api: Api, run_id: str, default_model: str) -> Playbill:
    """The playbill of a run, from its snapshot."""
    snapshot = await api.snapshot(run_id)
    return playbill(snapshot.scenario, snapshot.choices.model_dump(mode="json"), default_model)


async def engines_of(session: Session) -> Mapping[str, int]:
    """How many engines of each kind serve: our own, or those that are registered for the plain lanes."""
    if session.place.own:
        return session.place.engines
    serving = [engine.engine_type for engine in await session.api.engines(status="active") if engine.pool is None]
    return {kind: serving.count(kind) for kind in ONE_OF_EACH if kind in serving}


def _version() -> str:
    import pyscrai

    return pyscrai.__version__
