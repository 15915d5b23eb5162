"""Settling what model calls really cost. It is accepted however late, because the provider has been paid.

A call whose lease ended without its usage is charged at its upper bound, as `assumed`, until the usage arrives.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog

from pyscrai.contract.events import CallRecord
from pyscrai.contract.runs import Trouble
from pyscrai.domain.canonical import clean_text, sha256
from pyscrai.domain.choices import Price
from pyscrai.domain.money import cost
from pyscrai_api.money.bills import Bill, bill_of
from pyscrai_api.runs.locked import LockedRun

log = structlog.get_logger(__name__)

LONGEST_CALL = 1e6
"""Seconds."""
RESERVED, SETTLED, ASSUMED, RELEASED = 1, 2, 3, 4
_LOCK_CALLS = """
SELECT c.event_id, c.lease_no, c.call, c.state, c.reserved, c.cost, c.input_price, c.output_price,
  c.seconds IS NOT NULL AS told FROM calls c
JOIN unnest($1::bigint[], $2::int[], $3::int[]) AS asked (event_id, lease_no, call) USING (event_id, lease_no, call)
WHERE c.run_id = $4 AND c.state IN (1, 3) FOR UPDATE OF c
"""
_SETTLE = """
UPDATE calls c SET state = line.state, cost = line.cost, usage = line.usage::jsonb, request = line.request::jsonb,
  answer = line.answer, error = line.error, seconds = line.seconds, settled_at = now()
FROM unnest($1::bigint[], $2::int[], $3::int[], $4::smallint[], $5::numeric[], $6::text[], $7::text[], $8::text[],
  $9::text[], $10::float8[]) AS line (event_id, lease_no, call, state, cost, usage, request, answer, error, seconds)
WHERE c.event_id = line.event_id AND c.lease_no = line.lease_no AND c.call = line.call
"""
_TEXTS = """
INSERT INTO request_texts (run_id, hash, role, content)
SELECT $1, hash, role, content FROM unnest($2::text[], $3::text[], $4::text[]) AS line (hash, role, content)
ON CONFLICT DO NOTHING
"""
_ASSUME = """
UPDATE calls SET state = 3, cost = reserved, settled_at = now()
FROM unnest($1::bigint[], $2::int[]) AS ended (event_id, lease_no)
WHERE calls.event_id = ended.event_id AND calls.lease_no = ended.lease_no AND calls.state = 1
RETURNING calls.event_id, calls.lease_no, calls.call, calls.model, calls.reserved
"""


async def settle(run: LockedRun, engine_id: UUID, records: Sequence[CallRecord]) -> None:
    """Book the records of one locked run's calls, which this engine made. The caller saves the run.

    A record of a call that is settled already, or was never reserved, changes nothing.
    """
    if not records:
        return
    by_key = {(r.event_id, r.lease_no, r.call): r for r in records}
    keys = list(by_key)
    columns = ([k[0] for k in keys], [k[1] for k in keys], [k[2] for k in keys])
    rows = await run.conn.fetch(_LOCK_CALLS, *columns, run.id)
    known = {(row["event_id"], row["lease_no"], row["call"]): row for row in rows}
    for key in by_key.keys() - known.keys():
        log.warning("settlement_ignored", run=str(run.id), event_id=key[0], lease=key[1], call=key[2])
    lines = [_line(run, engine_id, row, by_key[key]) for key, row in known.items()]
    if not lines:
        return
    await _keep_texts(run, [by_key[key] for key in known])
    await run.conn.execute(_SETTLE, *(list(column) for column in zip(*lines, strict=True)))


async def assume(run: LockedRun, leases: list[tuple[int, int]]) -> None:
    """Charge what is still reserved under ended leases (event, lease_no) at its upper bound."""
    if not leases or not run.open_calls:
        return
    rows = await run.conn.fetch(_ASSUME, [event for event, _ in leases], [lease_no for _, lease_no in leases])
    for row in rows:
        run.reserved -= row["reserved"]
        run.spent += row["reserved"]
        run.open_calls -= 1
        place = {name: row[name] for name in ("event_id", "lease_no", "call", "model")}
        run.bills.append(Bill(run_id=run.id, cost=row["reserved"], **place))


def _line(run: LockedRun, engine_id: UUID, row: Any, record: CallRecord) -> tuple[Any, ...]:
    state, paid = _price(row, record)
    if record.sent:
        run.bills.append(bill_of(record, paid, run_id=run.id, engine_id=engine_id))
    if row["state"] == RESERVED:
        run.reserved -= row["reserved"]
        run.open_calls -= 1
        run.spent += paid
    else:
        run.spent += paid - row["cost"]
    run.model_calls += record.sent and not row["told"]  # a repeat where nobody knows the usage comes here again
    if paid > row["reserved"]:
        _alarm(run, record, paid, row["reserved"])
    usage = None if record.usage is None else record.usage.model_dump_json()
    request = json.dumps([_hash(message.role, message.text) for message in record.request]) if record.request else None
    answer = None if record.answer is None else clean_text(record.answer)
    error = None if record.error is None else clean_text(record.error)[:4000]
    place = (record.event_id, record.lease_no, record.call)
    return (*place, state, paid, usage, request, answer, error, seconds_of(record))


def seconds_of(record: CallRecord) -> float:
    """How long a call took, as the column can hold it; what is no number of seconds is 0."""
    return max(0.0, min(record.seconds, LONGEST_CALL))


def _price(row: Any, record: CallRecord) -> tuple[int, Decimal]:
    if not record.sent:
        return RELEASED, Decimal(0)
    if record.usage is None:
        return ASSUMED, row["reserved"]
    price = Price(input=row["input_price"], output=row["output_price"])
    return SETTLED, cost(record.usage.input_tokens, record.usage.output_tokens, price)


def _alarm(run: LockedRun, record: CallRecord, paid: Decimal, reserved: Decimal) -> None:
    """The provider counted more than the proven bound: book it, and let a person look before more is spent."""
    message = (
        f"a call to {record.model} cost {paid:f} USD, more than the {reserved:f} that were reserved as its bound: "
        "the provider counts tokens otherwise than assumed. The cost is booked. Check the model's price and limits."
    )
    log.error("bound_exceeded", run=str(run.id), event_id=record.event_id, model=record.model, reason=message)
    if run.running:
        run.stop("paused", "run_paused", Trouble(code="bound_exceeded", message=message, event_id=record.event_id))


async def _keep_texts(run: LockedRun, records: list[CallRecord]) -> None:
    texts = {_hash(m.role, m.text): (m.role, clean_text(m.text)) for record in records for m in record.request}
    if texts:
        hashes = sorted(texts)
        await run.conn.execute(_TEXTS, run.id, hashes, [texts[h][0] for h in hashes], [texts[h][1] for h in hashes])


def _hash(role: str, text: str) -> str:
    return sha256(f"{role}\n{clean_text(text)}")
