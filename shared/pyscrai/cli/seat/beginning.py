"""`pyscrai run` with people at seats: in a terminal they play right there, elsewhere it is said how to."""

from __future__ import annotations

import asyncio
import sys

from pyscrai.cli.seat.table import Manner, Table
from pyscrai.cli.session import Session
from pyscrai.cli.talk import Talk
from pyscrai.cli.watching import Watch
from pyscrai.contract.runs import Run
from pyscrai.sdk.result import full_name


async def sit_down(run: Run, at: Session, talk: Talk, how: Watch) -> int | None:
    """Play the seats of people where there is a terminal, and return the exit code; None: the run is to be watched.

    Interrupted, it pauses the run, as watching does.
    """
    snapshot = await at.api.snapshot(run.id)
    chosen, declared = snapshot.choices.seats, snapshot.scenario.get("seats")
    seats = [seat for seat in run.seats if _by_people(seat, chosen, declared)]
    if not seats:
        return None
    if not (talk.live and sys.stdin.isatty()):
        for seat in seats:
            talk.say(f"{seat} is played by a person: pyscrai play {full_name(run)} --seat {seat}", "")
        return None
    manner = Manner(hosts=True, thoughts=how.thoughts, patience=how.patience, default_model=how.default_model)
    try:
        return await Table(at, run, seats, talk, manner).sit()
    except asyncio.CancelledError:
        from pyscrai.cli.watching import interrupted

        await interrupted(at.api, run, talk, pause=how.pause)
        raise


def _by_people(seat: str, chosen: object, declared: object) -> bool:
    choice = chosen.get(seat) if isinstance(chosen, dict) else None
    if choice is not None and (choice.approve or choice.human is not None):
        return bool(choice.approve or choice.human)
    told = declared.get(seat) if isinstance(declared, dict) else None
    return bool(isinstance(told, dict) and told.get("human"))
