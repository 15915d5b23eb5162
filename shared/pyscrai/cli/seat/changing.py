"""`pyscrai runs take|release|whisper`: seats that change hands, and what one seat alone is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.seat.options import deadlines
from pyscrai.cli.talk import OK, Talk

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pyscrai.cli.session import Session
    from pyscrai.contract.runs import Run

run_argument = click.argument("run", metavar="RUN")
seat_argument = click.argument("seat", metavar="SEAT")


@click.command()
@run_argument
@seat_argument
@deadlines
@place
@common
@pass_talk
def take(talk: Talk, /, where: Where, run: str, seat: str, deadline: float | None, on_deadline: str | None) -> int:
    """A person plays this seat from now on; what its model has open is asked of them."""
    from pyscrai.contract.seats import TakeSeat

    wanted = TakeSeat.model_validate({"deadline": deadline, "on_deadline": on_deadline})

    async def work(at: Session, found: Run) -> tuple[BaseModel, str]:
        page = await at.api.seats.take(found.id, seat, wanted)
        return page, f"{page.title} is yours now: pyscrai play {page.run} --seat {page.seat}"

    return _change(talk, where, run, work)


@click.command()
@run_argument
@seat_argument
@click.option("--model", metavar="MODEL", help="Which model; else the one that was chosen for the seat.")
@place
@common
@pass_talk
def release(talk: Talk, /, where: Where, run: str, seat: str, model: str | None) -> int:
    """A model plays this seat from now on, also what waits for a person there."""
    from pyscrai.contract.seats import ReleaseSeat

    async def work(at: Session, found: Run) -> tuple[BaseModel, str]:
        page = await at.api.seats.release(found.id, seat, ReleaseSeat(model=model))
        return page, f"{page.title} is played by {page.model} now."

    return _change(talk, where, run, work)


@click.command()
@run_argument
@seat_argument
@click.argument("text")
@place
@common
@pass_talk
def whisper(talk: Talk, /, where: Where, run: str, seat: str, text: str) -> int:
    """Tell one seat something that nobody else at the table learns; it enters with the run's next step."""

    async def work(at: Session, found: Run) -> tuple[BaseModel, str]:
        kept = await at.api.seats.whisper(found.id, seat, text)
        return kept, f"{kept.seat} learns of it with the run's next step."

    return _change(talk, where, run, work)


def _change(
    talk: Talk, where: Where, wanted: str, work: Callable[[Session, Run], Awaitable[tuple[BaseModel, str]]]
) -> int:
    from pyscrai.cli.session import run_async, session
    from pyscrai.sdk.names import find_run

    async def done() -> int:
        async with session(where, talk) as at:
            answer, said = await work(at, await find_run(at.api, wanted))
        if talk.json:
            talk.result(answer.model_dump(mode="json"))
        else:
            talk.out.print(said, markup=False, soft_wrap=True)
        return OK

    return run_async(done)
