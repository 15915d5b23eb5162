"""The meter of one event: every model call passes here before it is made and after it was answered."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from pyscrai.contract.events import CallRecord, Grant, Reserve
from pyscrai.engine.errors import CallForbidden, LeaseGone, TakenBack
from pyscrai.engine.leases import Clock, Lease
from pyscrai.engine.metrics import Metrics


class Reserves(Protocol):
    """What grants calls: the reserver of the runtime."""

    async def reserve(self, lease: Lease, call: Reserve) -> Grant: ...


@dataclass(kw_only=True)
class _Open:
    """A call that was asked for and not recorded yet; `may_be_sent` from the moment the model may send it."""

    asked: Reserve
    may_be_sent: bool = False


class EventMeter:
    """Reserves and records the model calls of one lease, and moves the lease from stage to stage."""

    def __init__(
        self, lease: Lease, reserves: Reserves, *, clock: Clock, metrics: Metrics, log: FilteringBoundLogger
    ) -> None:
        self._lease = lease
        self._reserves = reserves
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._open: dict[int, _Open] = {}
        self._records: list[CallRecord] = []
        self._given: set[int] = set()
        self.reserved = Decimal(0)
        self.calls = 0

    async def reserve(self, *, call: int, model: str, input_bound: int, max_tokens: int, request_hash: str) -> Grant:
        """Return when the call may be made, or need not be because the grant brings its answer, or when it is not the
        recorded one (`diverged`).

        Raises LeaseGone, TakenBack, CallForbidden, and ApiError where the API refuses the request itself.
        """
        self._lease.require(self._clock())
        event = self._lease.event
        asked = Reserve(
            event_id=event.id,
            lease_no=event.lease_no,
            call=call,
            try_no=event.try_no,
            model=model,
            input_bound=input_bound,
            max_tokens=max_tokens,
            request_hash=request_hash,
        )
        self._open[call] = _Open(asked=asked)
        self._lease.stage = "repairing" if self.calls else "reserving"
        grant = await self._reserves.reserve(self._lease, asked)
        if grant.state != "granted":
            del self._open[call]
            if grant.state == "diverged":
                return grant
            raise _refusal(grant)
        # The answer may have come late: a reservation that is not used any more is released with the report.
        self._lease.require(self._clock())
        self.calls += 1
        if grant.answer is not None:
            self._given.add(call)
            return grant
        self._open[call].may_be_sent = True
        self._lease.stage = "calling"
        self.reserved += grant.reserved or 0
        self._log.debug("model_called", call=call, model=model, input_bound=input_bound, max_tokens=max_tokens)
        return grant

    def record(self, call: CallRecord) -> None:
        """Take what became of a call; it is settled with the report of the event."""
        self._open.pop(call.call, None)
        self._lease.stage = "answered"
        self._records.append(call)
        if call.call not in self._given:
            self._metrics.model_call(call)

    def settlement(self, cut_off: str = "the work on the event was stopped") -> list[CallRecord]:
        """Every call of this lease, for the report. A call that nobody recorded is released if it cannot have been
        sent, else charged at its upper bound."""
        left = [_unrecorded(call, cut_off) for call in self._open.values()]
        for call in left:
            if call.sent:
                self._metrics.model_call(call)
        self._open.clear()
        self._lease.stage = "reporting"
        return self._records + left


def _refusal(grant: Grant) -> Exception:
    match grant.state:
        case "stale":
            return LeaseGone(grant.detail or "the API says it is another's")
        case "refused" | "not_running" | "rate_limited":
            return TakenBack(grant.detail or grant.state)
        case "unpriced":
            return CallForbidden(grant.detail or "no price is known for the model", "unpriced_model")
        case "recording_ends":
            return CallForbidden(grant.detail or "the recording has no answer here", "recording_ends")
        case _:
            return CallForbidden(grant.detail or "the model needs a limit", "limit_required")


def _unrecorded(call: _Open, cut_off: str) -> CallRecord:
    asked = call.asked
    return CallRecord(
        event_id=asked.event_id,
        lease_no=asked.lease_no,
        call=asked.call,
        try_no=asked.try_no,
        model=asked.model,
        sent=call.may_be_sent,
        request_hash=asked.request_hash,
        error=cut_off,
    )
