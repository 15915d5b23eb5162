"""`pyscrai events`: the queue as a person sees it, and its dead letters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import click

from pyscrai.cli import letters, queue
from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import FAILED, OK, Talk

if TYPE_CHECKING:
    from pyscrai.cli.session import Session
    from pyscrai.client.errors import QueueFull
    from pyscrai.contract.events import Event, NewEvent

EPILOG = """\b
Examples:
  pyscrai events list --status failed
  pyscrai events post --lane actor --payload '{"prompt": "Say hello."}'
  pyscrai events show 12
  pyscrai events dead
  pyscrai events redrive --code out_of_money --dry-run
  pyscrai events lanes
  pyscrai events drain decide --lane actor --reason "new prompt"

\b
A dead letter is an event whose tries are used up; its run stands still until
it is retried, redriven or discarded (resuming the run retries it too).
"""
STATUSES = (
    "queued",
    "processing",
    "completed",
    "failed",
    "retry",
    "waiting",
    "cancelled",
    "scheduled",
    "ready",
    "held",
)
STYLES = {"completed": "green", "processing": "cyan", "failed": "red", "retry": "yellow", "waiting": "yellow"}
id_argument = click.argument("event_id", metavar="EVENT", type=click.IntRange(1))
run_option = click.option("--run", metavar="RUN", help="Only those of this run.")
lane_option = click.option("--lane", metavar="LANE", help="Only those of this lane: actor, narrator …")


class JsonObject(click.ParamType[Any]):
    """A JSON object, or @FILE with one in it."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        from pathlib import Path

        try:
            text = Path(value[1:]).read_text("utf-8") if value.startswith("@") else value
            found = json.loads(text)
        except (OSError, ValueError) as error:
            self.fail(f"not JSON: {error}", param, ctx)
        return found if isinstance(found, dict) else self.fail('write a JSON object: {"key": value}', param, ctx)


@click.group(epilog=EPILOG)
def events() -> None:
    """List, show, post and correct events: the units of work that engines claim."""


@events.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only events that are so.")
@click.option("--type", "event_type", metavar="TYPE", help="Only events of this type.")
@lane_option
@run_option
@click.option("-n", "--number", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, at most.")
@place
@common
@pass_talk
def list_events(
    talk: Talk,
    /,
    where: Where,
    status: str | None,
    event_type: str | None,
    lane: str | None,
    run: str | None,
    number: int,
) -> int:
    """The latest events."""

    async def work(at: Session) -> list[Event]:
        run_id = await run_id_of(at, run)
        found: list[Event] = []
        after = None
        while True:
            page = await at.api.events(
                status=status, event_type=event_type, lane=lane, run_id=run_id, after=after, limit=number - len(found)
            )
            found += page.items
            after = page.next
            if after is None or len(found) == number:
                return found

    return listed(talk, where, work, "No such events.")


@events.command()
@id_argument
@place
@common
@pass_talk
def show(talk: Talk, /, where: Where, event_id: int) -> int:
    """One event: where it stands, what it was given, what came of it."""

    async def work(at: Session) -> Event:
        return await at.api.event(event_id)

    return one_event(talk, where, work)


@events.command()
@click.option("--type", "event_type", metavar="TYPE", default="prompt", show_default=True, help="The event type.")
@click.option("--lane", metavar="LANE", help="Which engines: actor, narrator, analyst …; by default the type's.")
@click.option("--payload", type=JsonObject(), default="{}", help="The payload: a JSON object, or @FILE.")
@click.option("--model", metavar="MODEL", help="Which model answers.")
@click.option("--priority", type=click.IntRange(0, 9), default=5, show_default=True, help="9 is served first.")
@click.option("--at", "scheduled_for", metavar="TIME", help="Not before this time (ISO 8601).")
@click.option("--dedupe-key", metavar="KEY", help="Post it once only, however often this is said.")
@click.option("--wait", is_flag=True, help="Wait for its result; without an API, engines are started for it.")
@click.option(
    "--patience",
    metavar="SECONDS",
    type=click.FloatRange(0),
    default=60,
    show_default=True,
    help="How long to wait for room where the queue is full.",
)
@place
@common
@pass_talk
def post(talk: Talk, /, where: Where, wait: bool, patience: float, **wanted: Any) -> int:
    """Enqueue an event that belongs to no run. Exit code 1 where --wait sees it fail."""
    from pyscrai.cli.options import makes_sense
    from pyscrai.contract.events import NewEvent

    wanted["engine_type"], wanted["data"] = wanted.pop("lane"), wanted.pop("payload")
    with makes_sense():
        new = NewEvent(**wanted)

    def told(full: QueueFull, seconds: float) -> None:
        talk.say(f"The queue is full: {full.detail}. Trying again in {seconds:.0f} s.", "yellow")

    async def work(at: Session) -> Event:
        posted = await at.api.post_event(await _for_our_engines(at, new), patience=patience, told=told)
        return await _finished(at, posted) if wait else posted

    return one_event(talk, where, work, engines=wait)


@events.command()
@id_argument
@place
@common
@pass_talk
def retry(talk: Talk, /, where: Where, event_id: int) -> int:
    """A dead letter back to work."""
    return _correct(talk, where, event_id, "retry")


@events.command()
@id_argument
@place
@common
@pass_talk
def cancel(talk: Talk, /, where: Where, event_id: int) -> int:
    """End an event that belongs to no run."""
    return _correct(talk, where, event_id, "cancel")


for command in (letters.dead, letters.redrive, letters.discard, queue.promote):
    events.add_command(command)
for command in (queue.lanes, queue.pause, queue.resume, queue.drain):
    events.add_command(command)


# ── what they share ──────────────────────────────────────────────────────────────────────────────────────────────


async def run_id_of(at: Session, run: str | None) -> str | None:
    """The id of a run as people name it; None for none."""
    from pyscrai.sdk.names import find_run

    return None if run is None else (await find_run(at.api, run)).id


async def _for_our_engines(at: Session, new: NewEvent) -> NewEvent:
    """Engines that this command has started serve a private pool, so the event has to be put there."""
    if at.place.pool is None:
        return new
    lane = new.engine_type
    if lane is None:
        from pyscrai.sdk.catalog import in_catalog_of

        lane = str(((await in_catalog_of(at.api, "event-types", new.event_type)).content or {}).get("lane"))
    return new.model_copy(update={"engine_type": lane if ":" in lane else f"{lane}:{at.place.pool}"})


async def _finished(at: Session, posted: Event) -> Event:
    """The event once it is over or dead. The API has no stream of single events, so it is asked, ever less often."""
    import anyio

    delay, event = 0.05, posted
    while event.status not in ("completed", "failed", "cancelled"):
        await anyio.sleep(delay)
        delay = min(delay * 1.5, 1.0)
        event = await at.api.event(posted.id)
    return event


def _correct(talk: Talk, where: Where, event_id: int, how: Literal["retry", "cancel"]) -> int:
    async def work(at: Session) -> Event:
        return await at.api.correct_event(event_id, how)

    return one_event(talk, where, work)


def listed(talk: Talk, where: Where, work: Any, nothing: str) -> int:
    """Show the events that `work` finds."""
    from pyscrai.cli.session import run_async, session

    async def main() -> None:
        async with session(where, talk) as at:
            found: list[Event] = await work(at)
        if talk.json:
            talk.result([one.model_dump(mode="json") for one in found])
        elif found:
            _table(talk, found)
        else:
            talk.say(nothing, "")

    return run_async(main)


def _table(talk: Talk, found: list[Event]) -> None:
    from pyscrai.cli.tables import table

    others = any(event.owner for event in found)
    heads = ("event", "type", "lane", "status", "seat", "created (UTC)", "remark", *(["owner"] if others else []))
    rows = [_row(event) + ((event.owner or "",) if others else ()) for event in found]
    table(talk.paper, heads, rows, styles=STYLES)


def _row(event: Event) -> tuple[str, ...]:
    from pyscrai.cli.tables import when

    place = (event.lane, event.status, event.seat or "")
    return (str(event.id), event.event_type, *place, when(event.created_at), _remark(event))


def _remark(event: Event) -> str:
    from pyscrai.cli.tables import when

    later = f"not before {when(event.scheduled_for)}" if event.scheduled_for else ""
    return "; ".join(part for part in (later, event.error or event.code) if part)


def one_event(talk: Talk, where: Where, work: Any, *, engines: bool = False) -> int:
    """Show the event that `work` gives; with `engines` it is to be completed."""
    from pyscrai.cli.session import NO_ENGINES, run_async, session
    from pyscrai.sdk.place import ONE_OF_EACH

    async def main() -> int:
        async with session(where, talk, engines=ONE_OF_EACH if engines else NO_ENGINES) as at:
            event: Event = await work(at)
        if talk.json:
            talk.result(event.model_dump(mode="json"))
        else:
            _page(talk, event)
        return FAILED if engines and event.status != "completed" else OK

    return run_async(main)


def _page(talk: Talk, event: Event) -> None:
    from pyscrai.cli.tables import when

    place = [f"run {event.run_id}, step {event.step}, turn {event.turn}"] if event.run_id else ["of no run"]
    place += [f"seat {event.seat}"] if event.seat else []
    tries = f"{event.attempt} claimed, {event.failures} failed, {event.losses} lost, {event.handbacks} handed back"
    facts = [
        ("Event", f"{event.id} ({event.event_type}), lane {event.lane}, priority {event.priority}"),
        ("Status", f"{event.status} ({event.state})"),
        ("Place", ", ".join(place)),
        ("Created", f"{when(event.created_at)} UTC"),
        ("Tries", tries),
        ("Data", json.dumps(event.data, ensure_ascii=False)),
    ]
    facts += [("Not before", event.scheduled_for)] if event.scheduled_for else []
    facts += [("Error", event.error)] if event.error else []
    facts += [("Result", json.dumps(event.result, ensure_ascii=False))] if event.result is not None else []
    talk.paper.facts(facts)
