"""`pyscrai play` and `pyscrai inbox`: people at their seats."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from pyscrai.cli.options import Where, common, pass_talk, patience, place
from pyscrai.cli.talk import OK, Talk

if TYPE_CHECKING:
    from pyscrai.cli.seat.table import Manner
    from pyscrai.cli.session import Session
    from pyscrai.contract.runs import Run

EPILOG = """\b
Examples:
  pyscrai play last --seat union             in a terminal, field by field
  pyscrai play run-003 --seat union --value move.json
  echo '{"action": "We sign."}' | pyscrai play last --seat union --value -
  pyscrai play last --seat board --approve-all

\b
Where the seat's model proposes and a person approves, it asks for that:
approve, edit, or send back with a remark. What you type is kept as a draft
after each field; come back and go on. --value takes one JSON object, a list,
or one on each line: an answer to each question that comes, null for the
proposal as it is.
"""


@click.command(epilog=EPILOG)
@click.argument("run", metavar="RUN")
@click.option(
    "--seat", "seats", metavar="SEAT", multiple=True, help="Your seat, by name or title; the only one waiting."
)
@click.option("--value", type=click.File("r", encoding="utf-8"), metavar="FILE", help="Answers as JSON; - is stdin.")
@click.option("--approve-all", is_flag=True, help="Approve whatever the seat's model proposes.")
@click.option("--thoughts/--no-thoughts", default=True, help="Show what your seat thinks.")
@patience
@place
@common
@pass_talk
def play(
    talk: Talk,
    /,
    where: Where,
    run: str,
    seats: tuple[str, ...],
    value: TextIO | None,
    approve_all: bool,
    thoughts: bool,
    patience: float,
) -> int:
    """Play a seat of a run in this terminal, or look at its model's moves before they count."""
    from pyscrai.cli.seat.table import Manner
    from pyscrai.cli.session import run_async

    if value is not None and approve_all:
        raise click.UsageError("--value or --approve-all: one of them")
    if value is None and not approve_all and (not sys.stdin.isatty() or talk.json):
        raise click.UsageError("nobody can be asked here: give --value FILE, or --value - for stdin")
    values = None if value is None else answers(value.read())
    how = Manner(values=values, approve_all=approve_all, thoughts=thoughts, patience=patience)
    return run_async(lambda: _play(talk, where, run, list(seats), how))


async def _play(talk: Talk, where: Where, wanted: str, seats: list[str], how: Manner) -> int:
    from pyscrai.cli.seat.table import Table
    from pyscrai.cli.session import session
    from pyscrai.sdk.names import find_run
    from pyscrai.sdk.place import ONE_OF_EACH

    async with session(where, talk, engines=ONE_OF_EACH) as at:
        run = await _served(at, await at.api.run((await find_run(at.api, wanted)).id))
        named = [(await at.api.seats.page(run.id, seat)).seat for seat in seats] or _only(run)
        return await Table(at, run, named, talk, how).sit()


def _only(run: Run) -> list[str]:
    waiting = list(dict.fromkeys(asked.seat for asked in run.asks))
    if len(waiting) != 1:
        which = f"it waits for {', '.join(waiting)}" if waiting else f"its seats are {', '.join(run.seats)}"
        raise click.UsageError(f"say which seat is yours with --seat; {which}")
    return waiting


async def _served(at: Session, run: Run) -> Run:
    """Where this command has started its own engines and nobody serves the run's pool any more, they take it over."""
    from pyscrai.contract.runs import Resume

    if not at.place.own or run.status not in ("running", "waiting", "pending"):
        return run
    if any(engine.pool == run.pool for engine in await at.api.engines(status="active")):
        return run
    return await at.api.resume(run.id, Resume(pool=at.place.pool, move=True))


def answers(text: str) -> list[dict[str, Any] | None]:
    """One JSON object, a list of them, or one on each line. Raises UsageError."""
    try:
        whole = json.loads(text)
        found = whole if isinstance(whole, list) else [whole]
    except ValueError:
        try:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise click.UsageError(f"--value is not JSON: {error}") from None
    if not found or not all(one is None or isinstance(one, dict) for one in found):
        raise click.UsageError("--value takes JSON objects, one for each question (null: the proposal as it is)")
    return found


EPILOG_OF_INBOX = """\b
Examples:
  pyscrai inbox
  pyscrai inbox --run last --seat union
"""


@click.command(epilog=EPILOG_OF_INBOX)
@click.option("--run", metavar="RUN", help="Only of this run.")
@click.option("--seat", metavar="SEAT", help="Only of this seat.")
@place
@common
@pass_talk
def inbox(talk: Talk, /, where: Where, run: str | None, seat: str | None) -> int:
    """What your runs ask of people: moves, and looks at what a model proposes."""
    from pyscrai.cli.seat.knowing import countdown
    from pyscrai.cli.session import run_async, session
    from pyscrai.sdk.names import find_run

    async def work() -> int:
        async with session(where, talk) as at:
            run_id = None if run is None else (await find_run(at.api, run)).id
            found = (await at.api.seats.inbox(run=run_id, seat=seat)).items
        if talk.json:
            talk.result([one.model_dump(mode="json") for one in found])
            return OK
        if not found:
            talk.say("Nobody is waited for.", "")
        for one in found:
            what = f"approve: {one.what}" if one.kind == "approval" else one.what
            talk.out.print(f"{one.run}  {one.title}: {what}, turn {one.turn}", markup=False, soft_wrap=True)
            draft = " A draft is kept." if one.draft else ""
            if line := f"{countdown(one)}{draft}".strip():
                talk.say(f"  {line}", "yellow")
            talk.say(f"  pyscrai play {one.run} --seat {one.seat}", "")
        return OK

    return run_async(work)
