"""What people at seats say: drafts, moves, approvals, remarks. Each is one conditional update on (event, number)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import jsonschema_rs

from pyscrai.contract.problems import FieldError
from pyscrai.contract.seats import Draft, Move, Moved, SavedDraft, SendBack
from pyscrai.domain.canonical import canonical, clean_text, escape, normalise, read
from pyscrai.domain.errors import InvalidValue
from pyscrai.domain.forms import complete, form
from pyscrai.domain.view import result_schema
from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import Conflict, NotFound, TooLarge, Unprocessable
from pyscrai_api.money.terms import Terms
from pyscrai_api.queue import people
from pyscrai_api.queue.checking import RESULT_BYTES
from pyscrai_api.queue.people import Waits
from pyscrai_api.queue.statements import sql
from pyscrai_api.runs.finisher import RunEvents
from pyscrai_api.runs.going import Play
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.runs.plans import Plans
from pyscrai_api.seats.finding import Question, question
from pyscrai_api.seats.onward import go_on
from pyscrai_api.seats.winners import lost, one

SHOWN_FAULTS = 10


class Moves:
    """Of the people at all seats; every method may be repeated without harm."""

    def __init__(self, pool: Pool, events: RunEvents, plans: Plans, terms: Terms, play: Play) -> None:
        self._pool = pool
        self._events = events
        self._plans = plans
        self._terms = terms
        self._play = play

    async def draft(self, run_id: UUID, seat: str, wanted: Draft, by: str) -> SavedDraft:
        """Keep what has been typed so far. Raises Conflict with the winner where the event does not wait any more."""
        text = _text(wanted.value)
        async with self._pool.acquire() as conn:
            asked = await question(conn, self._plans, run_id, seat, wanted.event_id)
            at = await conn.fetchval(sql("people", "draft"), asked.event_id, wanted.lease_no, text, by)
            if at is None:
                raise lost(await one(conn, asked.event_id))
        return SavedDraft(event_id=asked.event_id, lease_no=wanted.lease_no, saved_at=at.isoformat())

    async def move(self, run_id: UUID, seat: str, wanted: Move, by: str) -> Moved:
        """A person's move: the outcome of the event, if it still waits under this number.

        Raises Conflict with the winner, Unprocessable (`invalid_move`) with JSON Pointers, NotFound, TooLarge.
        """
        async with self._pool.acquire() as conn:
            asked = await question(conn, self._plans, run_id, seat, wanted.event_id)
            now = await one(conn, asked.event_id)
            if now is None:
                raise lost(now)
            text = await self._said(conn, run_id, asked, wanted, now)
        latest = now["ended_no"] if now["lease_no"] is None else now["lease_no"]
        waits = Waits(asked.event_id, latest if wanted.lease_no is None else wanted.lease_no)

        async def submit(run: LockedRun) -> int:
            return int(await people.submit(run.conn, waits, text, by))

        row = await self._under_lock(run_id, asked.event_id, submit, finishes=True)
        if row["ended"] != "submitted" or row["ended_no"] != waits.lease_no or row["result"] != text:
            raise lost(row)
        return Moved(
            event_id=asked.event_id,
            lease_no=waits.lease_no,
            run_id=str(run_id),
            seat=str(asked.work.seat),
            by=row["ended_by"],
            at=row["ended_at"].isoformat(),
            value=read(text),
        )

    async def send_back(self, run_id: UUID, seat: str, wanted: SendBack, by: str) -> None:
        """Have the model propose again, with a remark. Raises Conflict, also where nothing is proposed."""
        async with self._pool.acquire() as conn:
            asked = await question(conn, self._plans, run_id, seat, wanted.event_id)
            now = await one(conn, asked.event_id)
        if now is None or now["ended"] is not None:
            raise lost(now)
        if now["proposed"] is None:
            raise Conflict("a person moves here; there is no proposal to send back")
        number = now["lease_no"] if wanted.lease_no is None else wanted.lease_no
        waits = Waits(asked.event_id, number)
        remark = {"proposed": read(now["proposed"]), "remark": clean_text(wanted.remark)}

        async def back(run: LockedRun) -> int:
            woken = await people.to_model(run.conn, [waits], "sent_back", by, [remark])
            run.woke(woken)
            return len(woken)

        row = await self._under_lock(run_id, asked.event_id, back, finishes=False)
        if row["ended"] != "sent_back" or row["ended_no"] != waits.lease_no:
            raise lost(row)

    async def _under_lock(
        self, run_id: UUID, event_id: int, act: Callable[[LockedRun], Awaitable[int]], *, finishes: bool
    ) -> Mapping[str, Any]:
        """Act on a waiting event of a locked run, which then goes on; returns how the waiting stands."""

        async def work(run: LockedRun) -> Mapping[str, Any]:
            done = 0 if run.terminal else await act(run)
            await go_on(run, self._terms, self._play, done, finished=done if finishes else 0)
            row = await one(run.conn, event_id)
            assert row is not None
            return row

        row = await self._events.change(run_id, work, to_play=True)
        if row is None:
            raise NotFound(f"there is no run {run_id}")
        return row

    async def _said(self, conn: Connection, run_id: UUID, asked: Question, wanted: Move, now: Mapping[str, Any]) -> str:
        """The canonical text of a move. Raises Unprocessable, TooLarge; Conflict where nothing is proposed."""
        if wanted.value is None:
            if not wanted.approve:
                message = "a move needs a `value`, or `approve` for what the model proposes"
                raise Unprocessable("invalid_move", message, errors=[FieldError(pointer="/value", message=message)])
            if now["proposed"] is None:
                raise Conflict("nothing is proposed here: give a `value`")
            return str(now["proposed"])
        plan = await self._plans.of(conn, run_id)
        schema = result_schema(plan, asked.work)
        text = _text(wanted.value)
        value = read(text)
        if faults := _faults(form(plan, schema), value):
            raise Unprocessable("invalid_move", "this move does not fit its form", errors=faults)
        return canonical(normalise(complete(schema, value)))


def _text(value: Mapping[str, Any]) -> str:
    try:
        text = canonical(normalise(dict(value)))
    except InvalidValue as error:
        fault = FieldError(pointer=f"/value{error.pointer}", message=str(error))
        raise Unprocessable("invalid_move", str(error), errors=[fault]) from None
    if len(text.encode()) > RESULT_BYTES:
        raise TooLarge(f"a move has {RESULT_BYTES} bytes at most")
    return text


def _faults(schema: Mapping[str, Any], value: Any) -> list[FieldError]:
    found = []
    for error in jsonschema_rs.validator_for(dict(schema)).iter_errors(value):
        place = "".join(f"/{escape(str(part))}" for part in error.instance_path)
        found.append(FieldError(pointer=f"/value{place}", message=clean_text(str(error.message))[:500]))
        if len(found) == SHOWN_FAULTS:
            break
    return found
