"""Money of events without a run: each owner has one budget row, made with the installation's default limit.

Every function works on the caller's connection, inside its transaction, after the queue rows were locked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog

from pyscrai.contract.events import CallRecord, Grant, Reserve
from pyscrai.domain.canonical import clean_text
from pyscrai.domain.choices import Price
from pyscrai.domain.money import cost, upper_bound
from pyscrai_api.database import Connection
from pyscrai_api.money.bills import Bill, bill_of
from pyscrai_api.money.prices import how_to_declare, price_of
from pyscrai_api.money.settlements import seconds_of
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.states import Call
from pyscrai_api.queue.store import HandBack, hand_back_rows

log = structlog.get_logger()

WAIT_FOR_OTHERS = 1.0
"""Seconds after which a refused event is tried again while other calls of its owner are open."""
LONGEST_ERROR = 4000

Name = tuple[int, int, int]
"""(event, lease number, call)."""


@dataclass(kw_only=True)
class Budget:
    """An owner's budget, locked. `limit` None: none was set, and nothing that costs money is allowed."""

    conn: Connection
    owner: str
    limit: Decimal | None
    spent: Decimal
    reserved: Decimal
    open_calls: int

    @property
    def available(self) -> Decimal:
        return (self.limit or Decimal(0)) - self.spent - self.reserved

    async def save(self) -> None:
        await self.conn.execute(sql("loose", "save_budget"), self.owner, self.spent, self.reserved, self.open_calls)


@dataclass(frozen=True)
class _Granted:
    call: Reserve
    price: Price
    bound: Decimal


async def lock_budget(conn: Connection, owner: str, default_limit: Decimal | None) -> Budget:
    """Lock an owner's budget; the first use makes it."""
    await conn.execute(sql("loose", "open_budget"), owner, default_limit or Decimal(0))
    row = await conn.fetchrow(sql("loose", "lock_budget"), owner)
    limit = None if default_limit is None and not row["limit_usd"] else row["limit_usd"]
    return Budget(
        conn=conn, owner=owner, limit=limit, spent=row["spent"], reserved=row["reserved"], open_calls=row["open_calls"]
    )


async def reserve(
    conn: Connection,
    owner: str,
    engine_id: UUID,
    calls: Sequence[Reserve],
    prices: Mapping[str, Price],
    default_limit: Decimal | None,
) -> list[Grant]:
    """Answer each call, in order; a refused event has been handed back. A repeat is granted again and takes nothing."""
    rows = await conn.fetch(sql("loose", "leases"), sorted({c.event_id for c in calls}), engine_id)
    leases = {row["id"]: row["lease_no"] for row in rows}
    budget = await lock_budget(conn, owner, default_limit)
    known = await _known(conn, [_name(call) for call in calls])
    grants: list[Grant] = []
    granted: list[_Granted] = []
    back: list[HandBack] = []
    for call in calls:
        existing = known.get(_name(call))
        given = next((item.bound for item in granted if _name(item.call) == _name(call)), None)
        gone = leases.get(call.event_id) != call.lease_no or any(item.event_id == call.event_id for item in back)
        if gone or (existing is not None and existing["state"] != Call.RESERVED):
            grants.append(_grant(call, "stale", detail="the lease is no longer this engine's, or the call was made"))
        elif existing is not None or given is not None:
            grants.append(_grant(call, "granted", existing["reserved"] if existing is not None else given))
        else:
            grants.append(_decide(budget, call, prices, granted, back))
    if granted:
        await _insert(budget, granted)
        await budget.save()
    await hand_back_rows(conn, engine_id, back)
    return grants


def _decide(
    budget: Budget, call: Reserve, prices: Mapping[str, Price], granted: list[_Granted], back: list[HandBack]
) -> Grant:
    price = price_of(call.model, {}, prices)
    if price is None:
        return _grant(call, "unpriced", detail=how_to_declare(call.model))
    bound = upper_bound(call.input_bound, call.max_tokens, price)
    if budget.limit is None and bound:
        return _grant(call, "limit_required", detail=f"{call.model} costs money, and no limit is set")
    if bound > budget.available and bound:
        free = max(budget.available, Decimal(0))
        message = f"no money: the call may cost {bound:f} USD, and {free:f} of the limit of {budget.limit:f} are free"
        wait = budget.open_calls > 0
        back.append(
            HandBack(call.event_id, call.lease_no, delay=WAIT_FOR_OTHERS)
            if wait
            else HandBack(call.event_id, call.lease_no, error=f"{message}; raise the limit and redrive the event")
        )
        return _grant(call, "refused", bound, message)
    budget.reserved += bound
    budget.open_calls += 1
    granted.append(_Granted(call, price, bound))
    return _grant(call, "granted", bound)


async def settle(budget: Budget, engine_id: UUID, records: Sequence[CallRecord]) -> list[Bill]:
    """Book what calls that this engine made really cost; the bills are to be logged after the commit.

    A record of a call that is settled, or was never reserved, changes nothing.
    """
    by_name = {(record.event_id, record.lease_no, record.call): record for record in records}
    known = await _known(budget.conn, list(by_name))
    bills: list[Bill] = []
    lines = [
        _line(budget, engine_id, row, by_name[name], bills) for name, row in known.items() if row["state"] in _OPEN
    ]
    if not lines:
        return []
    await budget.conn.execute(sql("loose", "settle"), *(list(column) for column in zip(*lines, strict=True)))
    await budget.save()
    return bills


async def assume(conn: Connection, leases: Sequence[tuple[int, int]], default_limit: Decimal | None) -> None:
    """Charge what is still reserved under leases (event, number) that have ended at its upper bound."""
    if not leases:
        return
    columns = [event for event, _ in leases], [lease_no for _, lease_no in leases]
    for owner in [row["owner"] for row in await conn.fetch(sql("loose", "open_calls"), *columns)]:
        budget = await lock_budget(conn, owner, default_limit)
        for row in await conn.fetch(sql("loose", "assume"), owner, *columns):
            budget.reserved -= row["reserved"]
            budget.spent += row["reserved"]
            budget.open_calls -= 1
        await budget.save()


_OPEN = (Call.RESERVED, Call.ASSUMED)


def _line(budget: Budget, engine_id: UUID, row: Any, record: CallRecord, bills: list[Bill]) -> tuple[Any, ...]:
    if not record.sent:
        state, paid = Call.RELEASED, Decimal(0)
    elif record.usage is None:
        state, paid = Call.ASSUMED, row["reserved"]
    else:
        price = Price(input=row["input_price"], output=row["output_price"])
        state, paid = Call.SETTLED, cost(record.usage.input_tokens, record.usage.output_tokens, price)
    if record.sent:
        bills.append(bill_of(record, paid, run_id=None, engine_id=engine_id))
    if row["state"] == Call.RESERVED:
        budget.reserved -= row["reserved"]
        budget.open_calls -= 1
    budget.spent += paid - row["cost"]
    if paid > row["reserved"]:
        log.error("bound_exceeded", owner=budget.owner, event_id=record.event_id, model=record.model, paid=str(paid))
    usage = None if record.usage is None else record.usage.model_dump_json()
    answer = None if record.answer is None else clean_text(record.answer)
    error = None if record.error is None else clean_text(record.error)[:LONGEST_ERROR]
    return (record.event_id, record.lease_no, record.call, state, paid, usage, answer, error, seconds_of(record))


async def _known(conn: Connection, names: Sequence[Name]) -> dict[Name, Any]:
    rows = await conn.fetch(sql("loose", "calls"), *([name[i] for name in names] for i in range(3)))
    return {(row["event_id"], row["lease_no"], row["call"]): row for row in rows}


async def _insert(budget: Budget, granted: Sequence[_Granted]) -> None:
    calls = [item.call for item in granted]
    await budget.conn.execute(
        sql("loose", "reserve"), budget.owner,
        [c.event_id for c in calls], [c.lease_no for c in calls], [c.call for c in calls], [c.try_no for c in calls],
        [c.model for c in calls], [c.input_bound for c in calls], [c.max_tokens for c in calls],
        [g.price.input for g in granted], [g.price.output for g in granted], [g.bound for g in granted],
        [c.request_hash for c in calls],
    )  # fmt: skip


def _name(call: Reserve) -> Name:
    return call.event_id, call.lease_no, call.call


def _grant(call: Reserve, state: str, reserved: Decimal | None = None, detail: str = "") -> Grant:
    return Grant.model_validate(
        {"event_id": call.event_id, "call": call.call, "state": state, "reserved": reserved, "detail": detail}
    )
