"""One terminal at one seat of a run, or at several: what happened, what is asked, what is answered, until the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pyscrai.cli import pages
from pyscrai.cli.play import Play
from pyscrai.cli.seat import knowing
from pyscrai.cli.seat.dialog import Dialog
from pyscrai.cli.seat.lines import Leave, Lines, Withdrawn
from pyscrai.cli.session import Session
from pyscrai.cli.status import status_line
from pyscrai.cli.talk import FAILED, OK, STANDS_STILL, Talk
from pyscrai.cli.trouble import what_to_do, why
from pyscrai.cli.watching import EXIT_OF_STATUS, bill_of
from pyscrai.client.errors import ClientError, Conflict, InvalidMove
from pyscrai.contract.problems import FieldError
from pyscrai.contract.runs import TERMINAL, Delivered, Run
from pyscrai.contract.seats import Asked, SeatPage
from pyscrai.contract.wire import Page
from pyscrai.sdk.patience import patiently
from pyscrai.sdk.result import full_name

T = TypeVar("T")
LOOK_SECONDS = 0.4
OVER = TERMINAL | {"paused", "blocked"}


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How somebody sits there. `values`: answers that were prepared, one for each question (None: the proposal as it
    is); when they are used up, one leaves. `approve_all`: every proposal is approved unread. `hosts`: the
    run is this person's own; what nobody at the table learns they see at its end."""

    values: Sequence[dict[str, Any] | None] | None = None
    approve_all: bool = False
    hosts: bool = False
    thoughts: bool = True
    patience: float = 60.0
    default_model: str = "rehearsal"

    @property
    def by_hand(self) -> bool:
        return self.values is None and not self.approve_all


class Table:
    """`seats`: those that are played here."""

    def __init__(self, at: Session, run: Run, seats: Sequence[str], talk: Talk, how: Manner) -> None:
        self._at = at
        self._api = at.api
        self._run = run
        self._seats = list(seats)
        self._talk = talk
        self._how = how
        self._values = list(how.values or [])
        self._lines = Lines()
        self._seen = 0
        self._met: set[str] = set()
        self._told = ""
        self._unseen: list[Delivered] = []
        self._began = time.monotonic()
        self._play: Play | None = None

    async def sit(self) -> int:
        """Play until the run is over or one leaves; returns the exit code."""
        bill = await self._patiently(lambda: bill_of(self._api, self._run.id, self._how.default_model))
        self._play = Play(self._talk.paper, bill, thoughts=self._how.thoughts)
        try:
            while (asked := await self._next()) is not None:
                await self._answer(asked)
                if self._said_all and not self._at.place.own:
                    return OK
        except Leave:
            again = f"pyscrai play {full_name(self._run)} --seat {self._seats[0]}"
            self._talk.say(f"You have left the table. What you typed is kept: {again}")
            return OK
        return await self._ended()

    @property
    def _said_all(self) -> bool:
        """Whether all prepared answers are given. Engines of our own go on until nothing is left to do for them."""
        return self._how.values is not None and not self._values

    async def _next(self) -> Asked | None:
        """What is asked here next, once it is; None where the run is over or stands still."""
        with status_line(self._talk.paper, shown=self._talk.live) as status:
            while True:
                run = await self._patiently(lambda: self._api.run(self._run.id))
                await self._news(run)
                self._run = run
                if run.status in OVER or (self._said_all and run.status == "waiting"):
                    return None
                mine = [asked for asked in run.asks if asked.seat in self._seats and self._answers(asked)]
                if mine:
                    return mine[0]
                others = ", ".join(asked.title for asked in run.asks)
                status.doing(f"Waiting for {others}" if others else (self._play.doing if self._play else ""))
                await asyncio.sleep(LOOK_SECONDS)

    def _answers(self, asked: Asked) -> bool:
        return not self._how.approve_all or asked.kind == "approval"

    async def _news(self, run: Run) -> None:
        """Show what has happened since, as far as the seats here may know."""
        if run.last_seq <= self._seen or self._play is None:
            return
        following: int | None = self._seen
        while following is not None:
            page = await self._log(run, following)
            for entry in page.items:
                self._seen = max(self._seen, entry.seq)
                shown = any(entry.visible(seat) for seat in self._seats) and not (self._talk.json or self._talk.quiet)
                if shown:
                    self._play.show(entry)
                else:
                    self._unseen.append(entry)
            following = int(page.next) if page.next else None
        self._seen = max(self._seen, run.last_seq)

    async def _log(self, run: Run, after: int) -> Page[Delivered]:
        if len(self._seats) == 1 and not self._how.hosts:
            return await self._patiently(lambda: self._api.seats.log(run.id, self._seats[0], after))
        return await self._patiently(lambda: self._api.log(run.id, after=after))

    async def _answer(self, asked: Asked) -> None:
        page = await self._patiently(lambda: self._api.seats.page(self._run.id, asked.seat))
        if page.asked is None:
            return
        try:
            if self._how.by_hand:
                await self._by_hand(page, page.asked)
            else:
                await self._submit(page.asked, self._values.pop(0) if self._how.values is not None else None)
        except Withdrawn as gone:
            self._talk.say(f"Too late: {gone}", "yellow")
        except Conflict as late:
            if not self._how.by_hand:
                raise
            self._talk.say(f"Too late: {late.detail}", "yellow")

    async def _by_hand(self, page: SeatPage, asked: Asked) -> None:
        paper = self._talk.paper
        if asked.seat not in self._met:
            self._met.add(asked.seat)
            knowing.briefing(paper, page)
        if (now := knowing.key(page)) != self._told:
            self._told = now
            knowing.situation(paper, page)
        knowing.question(paper, page, asked)
        dialog = Dialog(self._api, asked, self._lines, self._talk, self._patiently)
        faults: list[FieldError] = []
        value: dict[str, Any] | None = page.draft
        while True:
            answer = await dialog.ask(page, value, faults)
            if answer.sent_back:
                self._talk.say("Sent back; the model is asked again.")
                return
            try:
                await self._submit(asked, answer.value)
                return
            except InvalidMove as error:
                faults, value = list(error.errors), answer.value
                for fault in faults:
                    self._talk.say(f"{fault.pointer.removeprefix('/value').lstrip('/')}: {fault.message}", "yellow")

    async def _submit(self, asked: Asked, value: dict[str, Any] | None) -> None:
        moved = await self._patiently(lambda: self._api.seats.move(asked, value))
        if self._talk.json:
            self._talk.result(moved.model_dump(mode="json"))
        else:
            self._talk.say(f"{asked.title}: accepted (turn {asked.turn}, {asked.what}).", "green")

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Every question and every answer here may be repeated."""

        def trouble(error: ClientError) -> None:
            self._talk.say(f"{error}. Waiting up to {self._how.patience:.0f} s …")

        return await patiently(call, self._how.patience, trouble)

    async def _ended(self) -> int:
        run, missing = self._run, len(self._values)
        if self._talk.json:
            told: Mapping[str, Any] = {"status": run.status, "outcome": run.outcome, "log_digest": run.log_digest}
            self._talk.result({"run": full_name(run), **told})
        elif self._how.hosts and self._play is not None and not self._talk.quiet:
            for entry in self._unseen:
                self._play.remember(entry)
            times = pages.Times(start_up=self._at.start_up, play=time.monotonic() - self._began)
            again = pages.next_steps(run, None)
            pages.ending(self._talk.paper, run, self._play.measures, self._play.reason, times, again=again)
        else:
            outcome = f": {run.outcome}" if run.outcome else ""
            self._talk.say(f"{full_name(run)} is {run.status}{outcome}. Look again: pyscrai runs show {full_name(run)}")
        if missing:
            self._talk.complain(f"the run is {run.status}; {missing} of the answers were not asked for", "", run.status)
            return FAILED
        if run.status == "waiting":
            return OK
        code = EXIT_OF_STATUS.get(run.status, STANDS_STILL)
        if code:
            self._talk.complain(why(run), "\n".join(what_to_do(run)), run.reason.code if run.reason else run.status)
        return code
