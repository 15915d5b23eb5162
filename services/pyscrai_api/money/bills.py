"""What a settled call says in the service's log, so that cost can be followed there. Logged after the commit only:
what is undone was not paid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import structlog

from pyscrai.contract.events import CallRecord, Usage

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """One call that was charged. `usage` None: nobody knows it, and the call was charged at its upper bound until it
    is known; a second bill of the call then replaces this one."""

    run_id: UUID | None
    event_id: int
    lease_no: int
    call: int
    model: str
    cost: Decimal
    engine_id: UUID | None = None
    usage: Usage | None = None


def bill_of(record: CallRecord, paid: Decimal, *, run_id: UUID | None, engine_id: UUID) -> Bill:
    """The bill of a call that was sent."""
    return Bill(
        run_id=run_id,
        event_id=record.event_id,
        lease_no=record.lease_no,
        call=record.call,
        model=record.model,
        cost=paid,
        engine_id=engine_id,
        usage=record.usage,
    )


def log_bills(bills: Iterable[Bill]) -> None:
    """One line each: `call_settled`, or `call_assumed` where the usage is not known. Cost in US dollars, as text."""
    for bill in bills:
        ids = {"run": bill.run_id, "engine_id": bill.engine_id}
        place: dict[str, str | int] = {name: str(value) for name, value in ids.items() if value is not None}
        place |= {"event_id": bill.event_id, "lease": bill.lease_no, "call": bill.call, "model": bill.model}
        if bill.usage is None:
            log.info("call_assumed", **place, cost=f"{bill.cost:f}")
        else:
            tokens = {"input_tokens": bill.usage.input_tokens, "output_tokens": bill.usage.output_tokens}
            log.info("call_settled", **place, cost=f"{bill.cost:f}", **tokens)
