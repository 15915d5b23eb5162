"""Reserving the upper bound of model calls from a run's limit, under the run's lock.

A refused reservation hands its event back, held with what it needs; it waits for another call of the run to settle.
The run pauses when no call is open and the smallest need does not fit (DESIGN rule 7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from uuid import UUID

from pyscrai.contract.events import Grant, Reserve
from pyscrai.contract.runs import Trouble
from pyscrai.domain.choices import Price
from pyscrai.domain.money import affordable, upper_bound
from pyscrai.domain.plan import Plan
from pyscrai_api.database import Connection
from pyscrai_api.money.prices import how_to_declare, price_of
from pyscrai_api.queue.store import HandBack, hand_back_rows, release_needs
from pyscrai_api.runs.locked import LockedRun

_LEASES = """
SELECT q.id, q.lease_no, e.step, e.ordinal, array(
    SELECT (c.call, CASE WHEN c.state = 1 THEN c.reserved END) FROM calls c
    WHERE c.event_id = q.id AND c.lease_no = q.lease_no
  ) AS calls
FROM queue q JOIN events e ON e.id = q.id
WHERE q.id = ANY($1) AND (q.state + 0) = 3 AND q.engine_id = $2 AND q.run_id = $3 ORDER BY q.id FOR UPDATE OF q
"""
_INSERT = """
INSERT INTO calls (event_id, lease_no, call, run_id, owner, step, ordinal, try_no, state, model, input_bound,
  max_tokens, input_price, output_price, reserved, request_hash)
SELECT event_id, lease_no, call, $1, $2, step, ordinal, try_no, 1, model, input_bound, max_tokens,
  input_price, output_price, reserved, request_hash
FROM unnest($3::bigint[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::text[], $10::int[], $11::int[],
  $12::numeric[], $13::numeric[], $14::numeric[], $15::text[])
  AS line (event_id, lease_no, call, step, ordinal, try_no, model, input_bound, max_tokens, input_price, output_price,
    reserved, request_hash)
"""
_NEEDS = "SELECT id, need FROM queue WHERE run_id = $1 AND state = 5 AND need IS NOT NULL ORDER BY need, id"
_NOT_RUNNING = "the run does not run now; the event was handed back"


@dataclass(frozen=True)
class _Place:
    """Where a lease's event stands in its run; `calls`: number → what is reserved already, None where it was made."""

    lease_no: int
    step: int
    ordinal: int
    calls: dict[int, Decimal | None]


@dataclass(frozen=True)
class _Granted:
    call: Reserve
    place: _Place
    price: Price
    bound: Decimal


async def reserve(
    run: LockedRun, plan: Plan, engine_id: UUID, calls: Sequence[Reserve], installation: Mapping[str, Price]
) -> list[Grant]:
    """Answer each call of one locked run, in order. The caller saves the run.

    A repeat of a reservation that is still open is granted again and takes nothing.
    """
    leases = await _leases(run.conn, run.id, engine_id, calls)
    grants: list[Grant] = []
    granted: list[_Granted] = []
    back: list[HandBack] = []
    for call in calls:
        place = leases.get(call.event_id)
        if place is None or place.lease_no != call.lease_no or any(b.event_id == call.event_id for b in back):
            grants.append(_grant(call, "stale", detail="the lease is no longer this engine's"))
        elif call.call in place.calls:
            grants.append(_again(call, place.calls[call.call]))
        elif not run.running:
            back.append(HandBack(call.event_id, call.lease_no, hold=True))
            grants.append(_grant(call, "not_running", detail=_NOT_RUNNING))
        else:
            grants.append(_decide(run, plan, call, place, installation, granted, back))
    await _insert(run, granted)
    await hand_back_rows(run.conn, engine_id, back)
    if any(item.need is not None for item in back):
        run.short_of_money = True
        await pause_if_broke(run)
    return grants


def _decide(
    run: LockedRun,
    plan: Plan,
    call: Reserve,
    place: _Place,
    installation: Mapping[str, Price],
    granted: list[_Granted],
    back: list[HandBack],
) -> Grant:
    price = price_of(call.model, plan.choices.prices, installation)
    if price is None:
        return _grant(call, "unpriced", detail=how_to_declare(call.model))
    bound = upper_bound(call.input_bound, call.max_tokens, price)
    if run.limit_usd is None and bound > 0:
        return _grant(call, "limit_required", detail=f"{call.model} costs money and this run has no limit; set one")
    available = run.available
    if available is not None and bound > available:
        back.append(HandBack(call.event_id, call.lease_no, hold=True, need=bound))
        return _grant(call, "refused", bound, f"the call may cost {bound:f} USD, and {available:f} are free")
    run.reserved += bound
    run.open_calls += 1
    place.calls[call.call] = bound
    granted.append(_Granted(call, place, price, bound))
    return _grant(call, "granted", bound)


def _again(call: Reserve, reserved: Decimal | None) -> Grant:
    if reserved is None:
        return _grant(call, "stale", detail="the call was made already")
    return _grant(call, "granted", reserved)


async def pause_if_broke(run: LockedRun) -> None:
    """Out of money: pause, saying what would be needed, when no call is open and the smallest need does not fit."""
    if not run.running or run.open_calls or run.available is None:
        return
    needs = [row["need"] for row in await run.conn.fetch(_NEEDS, run.id)]
    if not needs or needs[0] <= run.available:
        return
    needed = run.spent + run.reserved + needs[0]
    message = (
        f"the limit of ${run.limit_usd or 0:.4f} is reached: ${run.spent:.4f} is spent, and the next call may cost "
        f"${needs[0]:.4f}. With a limit of ${_rounded_up(needed):f} or more the run goes on at exactly that call."
    )
    run.stop("paused", "run_paused", Trouble(code="out_of_money", message=message, needed=needed))


def _rounded_up(amount: Decimal) -> Decimal:
    """To what a person types: a limit that is rounded down would not be enough."""
    return amount.quantize(Decimal("0.0001"), ROUND_CEILING)


async def release_affordable(run: LockedRun) -> bool:
    """After a settlement or a raised limit: let those events go on whose needs fit together now, smallest first.

    Returns whether there were any; pauses the run where nothing fits and nothing is open.
    """
    if not run.running or not run.short_of_money:
        return False
    rows = await run.conn.fetch(_NEEDS, run.id)
    run.short_of_money = bool(rows)
    fitting = len(rows) if run.available is None else affordable([row["need"] for row in rows], run.available)
    if fitting:
        woken = await release_needs(run.conn, [row["id"] for row in rows[:fitting]])
        run.lanes |= {row.lane for row in woken}
        run.short_of_money = fitting < len(rows)
        return True
    if rows:
        await pause_if_broke(run)
    return False


async def release_all(run: LockedRun) -> None:
    """Let everything that waits for money ask again, because what it asks for may cost something else now."""
    if not run.short_of_money:
        return
    woken = await release_needs(run.conn, [row["id"] for row in await run.conn.fetch(_NEEDS, run.id)])
    run.lanes |= {row.lane for row in woken}
    run.short_of_money = False


def _grant(call: Reserve, state: str, reserved: Decimal | None = None, detail: str = "") -> Grant:
    return Grant.model_validate(
        {"event_id": call.event_id, "call": call.call, "state": state, "reserved": reserved, "detail": detail}
    )


async def _leases(conn: Connection, run_id: UUID, engine_id: UUID, calls: Sequence[Reserve]) -> dict[int, _Place]:
    rows = await conn.fetch(_LEASES, sorted({call.event_id for call in calls}), engine_id, run_id)
    return {row["id"]: _Place(row["lease_no"], row["step"], row["ordinal"], dict(row["calls"])) for row in rows}


async def _insert(run: LockedRun, granted: list[_Granted]) -> None:
    if not granted:
        return
    calls = [item.call for item in granted]
    await run.conn.execute(
        *(
            _INSERT,
            run.id,
            run.owner,
            [c.event_id for c in calls],
            [c.lease_no for c in calls],
            [c.call for c in calls],
        ),
        *([g.place.step for g in granted], [g.place.ordinal for g in granted], [c.try_no for c in calls]),
        *([c.model for c in calls], [c.input_bound for c in calls], [c.max_tokens for c in calls]),
        *([g.price.input for g in granted], [g.price.output for g in granted], [g.bound for g in granted]),
        [c.request_hash for c in calls],
    )
