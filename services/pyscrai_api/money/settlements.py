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

from pyscrai.contract.events import CallRecord, Usage
from pyscrai.domain.canonical import clean_text, sha256
from pyscrai.domain.choices import Price
from pyscrai.domain.money import MOST_TOKENS, cost
from pyscrai_api.money.account import Account
from pyscrai_api.money.bills import Bill, bill_of
from pyscrai_api.money.purses import give_back
from pyscrai_api.money.reporters import believed

log = structlog.get_logger(__name__)

LONGEST_CALL = 1e6
"""Seconds."""
LONGEST_ERROR = 4000
RESERVED, SETTLED, ASSUMED, RELEASED = 1, 2, 3, 4
# Not locked: whoever changes calls holds the lock of their account.
_CALLS = f"""
SELECT c.event_id, c.lease_no, c.call, c.state, c.reserved, c.cost, c.input_price, c.output_price, c.price, c.drawn_on,
  c.source, c.seconds IS NOT NULL AS told FROM calls c
JOIN unnest($1::bigint[], $2::int[], $3::int[]) AS asked (event_id, lease_no, call) USING (event_id, lease_no, call)
WHERE c.run_id IS NOT DISTINCT FROM $4 AND c.owner = $5 AND c.state IN (1, 3) AND {believed("$6")}
"""
_SETTLE = """
UPDATE calls c SET state = line.state, cost = line.cost, usage = line.usage::jsonb, request = line.request::jsonb,
  answer = line.answer, error = line.error, seconds = line.seconds, settled_at = now()
FROM unnest($1::bigint[], $2::int[], $3::int[], $4::smallint[], $5::numeric[], $6::text[], $7::text[], $8::text[],
  $9::text[], $10::float8[]) AS line (event_id, lease_no, call, state, cost, usage, request, answer, error, seconds)
WHERE c.event_id = line.event_id AND c.lease_no = line.lease_no AND c.call = line.call
"""
# The texts of requests in the same statement: one round trip less for each batch of calls.
_SETTLE_WITH_TEXTS = f"""
WITH asked AS (
  INSERT INTO request_texts (run_id, hash, role, content)
  SELECT $11, hash, role, content FROM unnest($12::text[], $13::text[], $14::text[]) AS text (hash, role, content)
  ON CONFLICT DO NOTHING
) {_SETTLE}
"""
_ASSUME = """
UPDATE calls SET state = 3, cost = reserved, settled_at = now()
FROM unnest($1::bigint[], $2::int[]) AS ended (event_id, lease_no)
WHERE calls.event_id = ended.event_id AND calls.lease_no = ended.lease_no AND calls.state = 1
  AND calls.run_id IS NOT DISTINCT FROM $3 AND calls.owner = $4
RETURNING calls.event_id, calls.lease_no, calls.call, calls.model, calls.reserved
"""


async def settle(account: Account, engine_id: UUID, records: Sequence[CallRecord]) -> None:
    """Book the records of one locked account's calls, which this engine made. The caller saves the account.

    A record of a call that is settled already, that was never reserved or is not this engine's, changes nothing.
    """
    if not records:
        return
    by_key = {(r.event_id, r.lease_no, r.call): r for r in records}
    keys = list(by_key)
    columns = ([k[0] for k in keys], [k[1] for k in keys], [k[2] for k in keys])
    rows = await account.conn.fetch(_CALLS, *columns, account.run_id, account.owner, engine_id)
    known = {(row["event_id"], row["lease_no"], row["call"]): row for row in rows}
    for key in by_key.keys() - known.keys():
        log.warning("settlement_ignored", run=str(account.run_id), event_id=key[0], lease=key[1], call=key[2])
    lines = [_line(account, engine_id, row, by_key[key]) for key, row in known.items()]
    if not lines:
        return
    settled = [list(column) for column in zip(*lines, strict=True)]
    # A replay asks word for word what its recording asked: the texts are there already, under the same hashes.
    asked = [by_key[key] for key, row in known.items() if row["source"] != "replay"]
    if account.run_id is not None and (texts := _texts(asked)):
        hashes = sorted(texts)
        told = (hashes, [texts[h][0] for h in hashes], [texts[h][1] for h in hashes])
        await account.conn.execute(_SETTLE_WITH_TEXTS, *settled, account.run_id, *told)
    else:
        await account.conn.execute(_SETTLE, *settled)


async def assume(account: Account, leases: Sequence[tuple[int, int]]) -> None:
    """Charge what is still reserved under ended leases (event, lease_no) at its upper bound.

    That was taken from limits and purses already, and stays taken.
    """
    if not leases or not account.open_calls:
        return
    ended = [event for event, _ in leases], [lease_no for _, lease_no in leases]
    for row in await account.conn.fetch(_ASSUME, *ended, account.run_id, account.owner):
        account.reserved -= row["reserved"]
        account.spent += row["reserved"]
        account.open_calls -= 1
        place = {name: row[name] for name in ("event_id", "lease_no", "call", "model")}
        account.bills.append(Bill(run_id=account.run_id, cost=row["reserved"], **place))


def _line(account: Account, engine_id: UUID, row: Any, record: CallRecord) -> tuple[Any, ...]:
    state, paid = _paid(row, record)
    sent = record.sent and row["source"] is None
    if sent:
        account.bills.append(bill_of(record, paid, run_id=account.run_id, engine_id=engine_id))
    if row["state"] == RESERVED:
        account.reserved -= row["reserved"]
        account.open_calls -= 1
        account.spent += paid
        give_back(account, row["drawn_on"], row["reserved"] - paid)
    else:
        account.spent += paid - row["cost"]
        give_back(account, row["drawn_on"], row["cost"] - paid)
    account.model_calls += sent and not row["told"]  # a repeat where nobody knows the usage comes here again
    if paid > row["reserved"]:
        account.alarm(record, paid, row["reserved"])
    usage = None if record.usage is None else _counts(record.usage)
    request = json.dumps([_hash(message.role, message.text) for message in record.request]) if record.request else None
    answer = None if record.answer is None else clean_text(record.answer)
    error = None if record.error is None else clean_text(record.error)[:LONGEST_ERROR]
    place = (record.event_id, record.lease_no, record.call)
    return (*place, state, paid, usage, request, answer, error, _seconds(record))


def _counts(usage: Usage) -> str:
    """As breakdowns can add them up: no call has more, whatever its provider says."""
    return json.dumps({name: min(tokens, MOST_TOKENS) for name, tokens in usage.model_dump().items()})


def _seconds(record: CallRecord) -> float:
    """How long a call took, as the column can hold it; what is no number of seconds is 0."""
    return max(0.0, min(record.seconds, LONGEST_CALL))


def _paid(row: Any, record: CallRecord) -> tuple[int, Decimal]:
    if not record.sent:
        return RELEASED, Decimal(0)
    if row["source"] is not None:
        return SETTLED, Decimal(0)
    if record.usage is None:
        return ASSUMED, row["reserved"]
    usage = record.usage
    paid = cost(
        usage.input_tokens,
        usage.output_tokens,
        _price(row),
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )
    return SETTLED, paid


def _price(row: Any) -> Price:
    """As it was when the call was reserved."""
    if row["price"] is None:
        return Price(input=row["input_price"], output=row["output_price"])
    return Price.model_validate_json(row["price"])


def _texts(records: list[CallRecord]) -> dict[str, tuple[str, str]]:
    """Hash → role and text of what was asked."""
    return {_hash(m.role, m.text): (m.role, clean_text(m.text)) for record in records for m in record.request}


def _hash(role: str, text: str) -> str:
    return sha256(f"{role}\n{clean_text(text)}")
