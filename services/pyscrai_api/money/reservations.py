"""Reserving the upper bound of model calls from an account, which is locked: a run, or a budget of events without one.

Each call goes through the same steps, in this order: is the lease still the engine's; was the call reserved already;
does its run run; was it answered before (`money.recorded`); what may it cost; is there room at its provider; is there
money for it in its limit and the wider ones. Who is refused for want of room or money hands its event back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from pyscrai.contract import TAKES_ANSWERS
from pyscrai.contract.events import Grant, Reserve
from pyscrai.domain.choices import Price
from pyscrai.domain.money import upper_bound
from pyscrai_api.money.account import Account
from pyscrai_api.money.prices import how_to_declare, price_of
from pyscrai_api.money.providers import Room
from pyscrai_api.money.purses import draw
from pyscrai_api.money.recorded import Recordings, look_up
from pyscrai_api.money.standing import Standing
from pyscrai_api.money.terms import Terms
from pyscrai_api.queue.store import HandBack, hand_back_rows

_LEASES = """
SELECT q.id, q.lease_no, e.step, e.ordinal, array(
    SELECT (c.call, CASE WHEN c.state = 1 THEN c.reserved END) FROM calls c
    WHERE c.event_id = q.id AND c.lease_no = q.lease_no
  ) AS calls
FROM queue q JOIN events e ON e.id = q.id
WHERE q.id = ANY($1) AND (q.state + 0) = 3 AND q.engine_id = $2 AND q.run_id IS NOT DISTINCT FROM $3
ORDER BY q.id FOR UPDATE OF q
"""
_INSERT = """
INSERT INTO calls (event_id, lease_no, call, run_id, owner, step, ordinal, try_no, state, model, input_bound,
  max_tokens, input_price, output_price, price, reserved, drawn_on, request_hash, provider)
SELECT event_id, lease_no, call, $1, $2, step, ordinal, try_no, 1, model, input_bound, max_tokens,
  input_price, output_price, price, reserved, drawn_on, request_hash, provider
FROM unnest($3::bigint[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::text[], $10::int[], $11::int[],
  $12::numeric[], $13::numeric[], $14::text[], $15::numeric[], $16::date[], $17::text[],
  $18::text[])
  AS line (event_id, lease_no, call, step, ordinal, try_no, model, input_bound, max_tokens, input_price, output_price,
    price, reserved, drawn_on, request_hash, provider)
"""
_PROTOCOL = "SELECT protocol FROM engines WHERE id = $1"
_OUTDATED = (
    f"this engine does not take recorded answers in place of calls (protocol {TAKES_ANSWERS}): replay with a newer one"
)
_NOT_RUNNING = "the run does not run now; the event was handed back"


@dataclass(frozen=True)
class Place:
    """Where a lease's event stands in its run; `calls`: number → what is reserved already, None where it was made."""

    lease_no: int
    step: int | None
    ordinal: int | None
    calls: dict[int, Decimal | None]


@dataclass(frozen=True)
class Granted:
    """A call that may be made. `bucket`: where it counts at its provider. `day`: whose purses it was taken from; None
    for what is free."""

    call: Reserve
    place: Place
    price: Price
    bound: Decimal
    bucket: str | None
    day: date | None


@dataclass(kw_only=True)
class Desk:
    """A batch of calls of one locked account. `declared`: prices of the run itself, which go before the others.
    `outdated`: a replay's engine would make calls instead of taking their recorded answers."""

    account: Account
    engine_id: UUID
    terms: Terms
    declared: Mapping[str, Price]
    leases: Mapping[int, Place]
    calls: Sequence[Reserve]
    recordings: Recordings | None = None
    outdated: bool = False
    room: Room | None = None
    granted: list[Granted] = field(default_factory=list)
    back: list[HandBack] = field(default_factory=list)

    async def answer(self, call: Reserve) -> Grant:
        """What becomes of one call; books it where it is granted. `write` then makes it so."""
        place = self.leases.get(call.event_id)
        if place is None or place.lease_no != call.lease_no or any(b.event_id == call.event_id for b in self.back):
            return grant(call, "stale", detail="the lease is no longer this engine's")
        if call.call in place.calls:
            return (self.recordings and self.recordings.again(call)) or _again(call, place.calls[call.call])
        if not self.account.running:
            self.back.append(HandBack(call.event_id, call.lease_no, hold=True))
            return grant(call, "not_running", detail=_NOT_RUNNING)
        if self.outdated:
            return grant(call, "unpriced", detail=_OUTDATED)
        if self.recordings is not None and (given := self._remembered(self.recordings, call, place)) is not None:
            return given
        price = price_of(call.model, self.declared, self.terms.prices)
        if price is None:
            return grant(call, "unpriced", detail=how_to_declare(call.model))
        bound = upper_bound(call.input_bound, call.max_tokens, price)
        if self.account.limit_usd is None and bound:
            return grant(call, "limit_required", detail=f"{call.model} costs money, and no limit is set; set one")
        room = await self._room()
        if (full := room.refusal(call)) is not None:
            self.back.append(full.hand_back(call))
            return grant(call, "rate_limited", bound, full.detail)
        lacking = None if price.free else await self._take(bound)
        if lacking is not None:
            self.back.append(self.account.refused(call, bound, lacking))
            return grant(call, "refused", bound, lacking.refusal(bound))
        room.take(call)
        return self._grant(call, place, price, bound, room.name_of(call))

    def _remembered(self, recordings: Recordings, call: Reserve, place: Place) -> Grant | None:
        """An answer that was given before, or why a replay has none: no model is asked, and nothing is paid."""
        given = recordings.take(call)
        if given is not None and given.state == "granted":
            self.account.reserve(Decimal(0), None)
            place.calls[call.call] = Decimal(0)
        return given

    async def _room(self) -> Room:
        """At the providers of the whole batch: once opened, before any money is drawn, so that all lock alike."""
        if self.room is None:
            account = self.account
            self.room = await self.terms.providers.room(
                account.conn, self.calls, owner=account.owner, engine_id=self.engine_id
            )
        return self.room

    async def _take(self, bound: Decimal) -> Standing | None:
        """Money for one call: first of the account's own limit, then of the wider ones. The limit that lacks it."""
        own = self.account.own_standing()
        if own is not None and own.free < bound:
            return own
        return await draw(self.account, bound, self.terms.wider)

    def _grant(self, call: Reserve, place: Place, price: Price, bound: Decimal, bucket: str | None) -> Grant:
        day = None if price.free else self.account.drawn_on
        self.account.reserve(bound, day)
        place.calls[call.call] = bound
        self.granted.append(Granted(call, place, price, bound, bucket, day))
        return grant(call, "granted", bound)

    async def write(self) -> None:
        """The calls that were granted, and the events that go back."""
        if self.room is not None:
            await self.room.save()
        if self.recordings is not None:
            await self.recordings.write()
        await _insert(self.account, self.granted)
        await hand_back_rows(self.account.conn, self.engine_id, self.back)


async def reserve(
    account: Account, engine_id: UUID, calls: Sequence[Reserve], terms: Terms, declared: Mapping[str, Price]
) -> tuple[list[Grant], list[HandBack]]:
    """Answer each call of one locked account, in order; also what was handed back. The caller saves the account.

    A repeat of a reservation that is still open is granted again and takes nothing.
    """
    leases = await _leases(account, engine_id, calls)
    takes = account.memory is None or await account.conn.fetchval(_PROTOCOL, engine_id) >= TAKES_ANSWERS
    desk = Desk(
        account=account,
        engine_id=engine_id,
        terms=terms,
        declared=declared,
        calls=calls,
        leases=leases,
        recordings=await _recordings(account, calls, leases) if takes else None,
        # The cache only saves money: without it models are asked.
        outdated=not takes and account.memory is not None and account.memory.replay_of is not None,
    )
    grants = [await desk.answer(call) for call in calls]
    await desk.write()
    return grants, desk.back


def grant(call: Reserve, state: str, reserved: Decimal | None = None, detail: str = "") -> Grant:
    """An answer about one call."""
    return Grant.model_validate(
        {"event_id": call.event_id, "call": call.call, "state": state, "reserved": reserved, "detail": detail}
    )


def _again(call: Reserve, reserved: Decimal | None) -> Grant:
    if reserved is None:
        return grant(call, "stale", detail="the call was made already")
    return grant(call, "granted", reserved)


async def _leases(account: Account, engine_id: UUID, calls: Sequence[Reserve]) -> dict[int, Place]:
    ids = sorted({call.event_id for call in calls})
    rows = await account.conn.fetch(_LEASES, ids, engine_id, account.run_id)
    return {row["id"]: Place(row["lease_no"], row["step"], row["ordinal"], dict(row["calls"])) for row in rows}


async def _recordings(account: Account, calls: Sequence[Reserve], leases: Mapping[int, Place]) -> Recordings | None:
    if account.memory is None:
        return None
    positions = {
        event: (p.step, p.ordinal) for event, p in leases.items() if p.step is not None and p.ordinal is not None
    }
    made = {(event, place.lease_no, call) for event, place in leases.items() for call in place.calls}
    return await look_up(account.conn, account.memory, calls, positions, made)


async def _insert(account: Account, granted: Sequence[Granted]) -> None:
    if not granted:
        return
    calls, places, prices = ([getattr(g, name) for g in granted] for name in ("call", "place", "price"))
    await account.conn.execute(
        _INSERT, account.run_id, account.owner,
        [c.event_id for c in calls], [c.lease_no for c in calls], [c.call for c in calls],
        [p.step for p in places], [p.ordinal for p in places], [c.try_no for c in calls],
        [c.model for c in calls], [c.input_bound for c in calls], [c.max_tokens for c in calls],
        [p.input for p in prices], [p.output for p in prices],
        [p.model_dump_json(exclude_defaults=True) for p in prices],
        [g.bound for g in granted], [g.day for g in granted], [c.request_hash for c in calls],
        [g.bucket for g in granted],
    )  # fmt: skip
