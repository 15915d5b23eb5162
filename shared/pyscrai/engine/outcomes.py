"""What a handler can say of an event: types with data, and how each is reported to the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyscrai.contract.events import Finish
from pyscrai.engine.redaction import redact


@dataclass(frozen=True, kw_only=True)
class Done:
    """The event's result, as its type's schema wants it."""

    result: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Retry:
    """It went wrong and may go right later. `retry_after` is in seconds; None leaves it to the API's backoff."""

    reason: str
    code: str
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Fail:
    """It went wrong and will again: to the dead letters."""

    reason: str
    code: str


@dataclass(frozen=True, kw_only=True)
class HandBack:
    """Nothing went wrong; another engine shall do it. Counts as neither failure nor loss.

    With a `code` the provider put it off, for `retry_after` seconds where it said so; it waits that long.
    """

    reason: str
    code: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """The event is not this engine's any more: nothing is reported."""

    reason: str


Outcome = Done | Retry | Fail | HandBack | Dropped


def finish_of(outcome: Outcome, event_id: int, lease_no: int) -> Finish | None:
    """The report of an outcome; None where there is nothing to report."""
    match outcome:
        case Done(result=result):
            return Finish(event_id=event_id, lease_no=lease_no, status="completed", result=result)
        case Retry(reason=reason, code=code, retry_after=retry_after):
            return _failed(event_id, lease_no, reason, code, retry_after=retry_after)
        case Fail(reason=reason, code=code):
            return _failed(event_id, lease_no, reason, code, permanent=True)
        case HandBack(reason=reason, code=code, retry_after=retry_after):
            return Finish(
                event_id=event_id,
                lease_no=lease_no,
                status="handed_back",
                error=_told(reason),
                code=code,
                retry_after=retry_after,
            )
        case Dropped():
            return None


def _told(reason: str) -> str:
    """A reason as it may be kept: without the keys of this process, and without anything that looks like one."""
    # Imported here because the engine registers before any of this is in memory.
    from pyscrai.llm.redaction import known_keys
    from pyscrai.llm.redaction import redact as without_keys

    return redact(without_keys(reason, known_keys()))


def _failed(
    event_id: int,
    lease_no: int,
    reason: str,
    code: str,
    *,
    retry_after: float | None = None,
    permanent: bool = False,
) -> Finish:
    return Finish(
        event_id=event_id,
        lease_no=lease_no,
        status="failed",
        error=_told(reason),
        code=code,
        retry_after=retry_after,
        permanent=permanent,
    )
