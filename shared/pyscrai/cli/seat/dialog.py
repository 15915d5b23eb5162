"""One question to a person at a terminal: form, confirmation, approval; withdrawn when somebody else was faster."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pyscrai.cli.prose import clean
from pyscrai.cli.seat import knowing
from pyscrai.cli.seat.asking import Form
from pyscrai.cli.seat.lines import Lines, Withdrawn
from pyscrai.cli.talk import Talk
from pyscrai.client.api import Api
from pyscrai.client.errors import ApiUnreachable, Conflict, Unavailable
from pyscrai.contract.problems import FieldError
from pyscrai.contract.seats import Asked, SeatPage

Patiently = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
LOOK_SECONDS = 1.0
REMINDERS = (300.0, 60.0, 10.0)
"""Seconds before the deadline at which somebody is reminded."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`value` None: the proposal as it is. `sent_back`: there is no answer, the model is asked again."""

    value: dict[str, Any] | None = None
    sent_back: bool = False


class Dialog:
    """Asks for one event, under one number."""

    def __init__(self, api: Api, asked: Asked, lines: Lines, talk: Talk, patiently: Patiently) -> None:
        self._api = api
        self._asked = asked
        self._lines = lines
        self._talk = talk
        self._patiently = patiently
        self._gone: asyncio.Event = asyncio.Event()

    def tell(self, text: str = "", style: str = "") -> None:
        self._talk.paper.line(clean(text), style)

    async def line(self, prompt: str) -> str:
        """A line, unless the question is withdrawn before it has come. Raises Leave, Withdrawn."""
        sys.stdout.write(clean(prompt))
        sys.stdout.flush()
        typing = asyncio.ensure_future(self._lines.next())
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({typing, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not typing.done():
                typing.cancel()
        if not typing.done() or typing.cancelled():
            self.tell()
            raise Withdrawn(await self._winner())
        return typing.result()

    async def ask(self, page: SeatPage, draft: dict[str, Any] | None, faults: Sequence[FieldError]) -> Answer:
        """What the person says. `faults`: what the API objected to in `draft`. Raises Leave, Withdrawn."""
        async with self._watched():
            if page.proposed is not None and not faults:
                return await self._approval(page, draft)
            return Answer(value=await self._form(page, draft or page.proposed or {}, faults))

    async def _approval(self, page: SeatPage, draft: dict[str, Any] | None) -> Answer:
        while True:
            typed = (await self.line("[a]pprove, [e]dit or [s]end back? ")).strip().casefold()
            if typed in ("a", "approve"):
                return Answer()
            if typed in ("e", "edit"):
                return Answer(value=await self._form(page, draft or page.proposed or {}, []))
            if typed in ("s", "send back"):
                remark = (await self.line("What should be otherwise? ")).strip()
                if remark:
                    return await self._send_back(remark)

    async def _send_back(self, remark: str) -> Answer:
        await self._patiently(lambda: self._api.seats.send_back(self._asked, remark))
        return Answer(sent_back=True)

    async def _form(self, page: SeatPage, draft: dict[str, Any], faults: Sequence[FieldError]) -> dict[str, Any]:
        self.tell(
            "  Enter keeps what stands in brackets; a line that ends in \\ goes on; :quit leaves, with a draft.", "dim"
        )
        if draft and not faults and page.draft is not None:
            self.tell("  You began already; here is your draft.", "dim")
        form = Form(self, self._keep)
        only = frozenset(fault.pointer.split("/")[2] for fault in faults if fault.pointer.count("/") > 1)
        schema = page.form or {}
        while True:
            draft = await form.ask(schema, draft, only)
            self.tell()
            knowing.shown(self._talk.paper, draft)
            typed = (await self.line("Send it? [Y/n] ")).strip().casefold()
            if typed not in ("n", "no"):
                return draft
            only = frozenset()

    async def _keep(self, value: dict[str, Any]) -> None:
        try:
            await self._patiently(lambda: self._api.seats.draft(self._asked, value))
        except Conflict as late:
            raise Withdrawn(late.detail) from late

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Look now and then whether the question still stands, and say how much time is left."""
        watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _watch(self) -> None:
        left = self._asked.seconds_left
        reminders = [one for one in REMINDERS if left is not None and one < left]
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                asks = (await self._api.run(self._asked.run_id)).asks
            except (ApiUnreachable, Unavailable):
                continue  # the answer itself will say that the API is away
            mine = (self._asked.event_id, self._asked.lease_no)
            now = next((one for one in asks if (one.event_id, one.lease_no) == mine), None)
            if now is None:
                self._gone.set()
                return
            if reminders and now.seconds_left is not None and now.seconds_left <= reminders[0]:
                reminders = [one for one in reminders if one < now.seconds_left]
                self.tell(f"\n  {knowing.countdown(now)}", "yellow")

    async def _winner(self) -> str:
        """Who was faster: the API says so to whoever comes too late."""
        try:
            await self._patiently(lambda: self._api.seats.draft(self._asked, {}))
        except Conflict as late:
            return late.detail
        return "it is not asked any more"
