"""Money of events without a run: each owner has one budget row, made with the installation's default limit.

It is an account like a run's (`money.account`). Every function works on the caller's connection, inside its
transaction; queue rows are locked before budgets, budgets in the order of their owners, purses after them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import structlog

from pyscrai.contract.events import CallRecord, Grant, Reserve
from pyscrai_api.database import Connection
from pyscrai_api.money import reservations, settlements
from pyscrai_api.money.account import Account
from pyscrai_api.money.purses import flush, let_go
from pyscrai_api.money.standing import Standing
from pyscrai_api.money.terms import Terms
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.store import HandBack

log = structlog.get_logger()

WAIT_FOR_OTHERS = 1.0
"""Seconds after which a refused event is tried again while other calls of its owner are open."""


@dataclass(kw_only=True)
class Budget(Account):
    """An owner's budget, locked."""

    SCOPE: ClassVar[str] = "events"

    def refused(self, call: Reserve, bound: Decimal, lacking: Standing) -> HandBack:
        """Tried again soon while other calls are open, which may give money back; else a dead letter that says why."""
        if self.open_calls:
            return HandBack(call.event_id, call.lease_no, delay=WAIT_FOR_OTHERS)
        error = f"no money: {lacking.refusal(bound)}; raise the limit and redrive the event"
        return HandBack(call.event_id, call.lease_no, error=error, code="out_of_money")

    def alarm(self, record: CallRecord, paid: Decimal, reserved: Decimal) -> None:
        place = {"event_id": record.event_id, "model": record.model}
        log.error("bound_exceeded", owner=self.owner, paid=f"{paid:f}", reserved=f"{reserved:f}", **place)

    def warn(self, body: dict[str, Any]) -> None:
        log.warning("credit_limit_warning", owner=self.owner, **body)

    async def save(self) -> None:
        """Write the row; `flush` writes what purses get back. While no call is open, nothing is kept from others."""
        if not self.open_calls:
            let_go(self)
        money = (self.spent, self.reserved, self.open_calls, self.tranche, self.drawn_on)
        await self.conn.execute(sql("loose", "save_budget"), self.owner, *money)


async def lock_budget(conn: Connection, owner: str, default_limit: Decimal | None) -> Budget:
    """Lock an owner's budget; the first use makes it."""
    await conn.execute(sql("loose", "open_budget"), owner, default_limit or Decimal(0))
    row = dict(await conn.fetchrow(sql("loose", "lock_budget"), owner))
    if default_limit is None and not row["limit_usd"]:
        row["limit_usd"] = None
    return Budget(conn=conn, owner=owner, **row)


async def reserve(
    conn: Connection,
    owner: str,
    engine_id: UUID,
    calls: Sequence[Reserve],
    terms: Terms,
    default_limit: Decimal | None,
) -> list[Grant]:
    """Answer each call, in order; a refused event has been handed back. A repeat is granted again and takes nothing."""
    await conn.execute(sql("loose", "mark_called"), sorted({call.event_id for call in calls}), engine_id)
    budget = await lock_budget(conn, owner, default_limit)
    grants, _ = await reservations.reserve(budget, engine_id, calls, terms, {})
    await budget.save()
    await flush(conn, [budget])
    return grants


async def settle(
    conn: Connection, owner: str, engine_id: UUID, records: Sequence[CallRecord], default_limit: Decimal | None
) -> Budget:
    """Book what calls that this engine made really cost. The bills of the answer are to be logged after the commit."""
    budget = await lock_budget(conn, owner, default_limit)
    await settlements.settle(budget, engine_id, records)
    await budget.save()
    await flush(conn, [budget])
    return budget


async def assume(conn: Connection, leases: Sequence[tuple[int, int]], default_limit: Decimal | None) -> None:
    """Charge what is still reserved under leases (event, number) that have ended at its upper bound."""
    if not leases:
        return
    columns = [event for event, _ in leases], [lease_no for _, lease_no in leases]
    owners = [row["owner"] for row in await conn.fetch(sql("loose", "open_calls"), *columns)]
    budgets = [await lock_budget(conn, owner, default_limit) for owner in owners]
    for budget in budgets:
        await settlements.assume(budget, leases)
        await budget.save()
    await flush(conn, budgets)
