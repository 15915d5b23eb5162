"""The work of the chaos suite's light events: no model, no memory, one right answer to each payload."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any, cast

from structlog.typing import FilteringBoundLogger

from pyscrai.contract.events import Claimed
from pyscrai.engine.outcomes import Done, Fail, HandBack, Outcome, Retry

LANE = "chaos"
PLANNED = "planned"
"""The code of failures and hand-backs that the payload asked for."""


def value_of(payload: Mapping[str, Any]) -> str:
    """The one right answer to a payload."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Work:
    """Does what the payload's `do` says, and answers with `value_of`, the event and the lease under which it worked.

    `fails`, `hands_back`: how often; `dies`: goes to the dead letters at first; `slow`: milliseconds, while its lease
    is renewed; `stuck`: milliseconds for which the whole engine stands still, at the first attempt.
    """

    async def handle(self, event: Claimed, meter: object, log: FilteringBoundLogger) -> Outcome:
        """The outcome; never raises anything but CancelledError."""
        do = cast(dict[str, Any], event.data.get("do") or {})
        if event.attempt <= do.get("hands_back", 0):
            return HandBack(reason=PLANNED)
        if event.attempt == 1 and "stuck" in do:
            # Nothing else is to happen meanwhile. Not `time.sleep`, which a library that shifts clocks breaks.
            threading.Event().wait(do["stuck"] / 1000)
        if "slow" in do:
            await asyncio.sleep(do["slow"] / 1000)
        if do.get("dies") and event.try_no == 1:
            return Fail(reason=PLANNED, code=PLANNED)
        if event.try_no <= do.get("fails", 0):
            return Retry(reason=PLANNED, code=PLANNED)
        return Done(result={"value": value_of(event.data), "event": event.id, "lease": event.lease_no})
