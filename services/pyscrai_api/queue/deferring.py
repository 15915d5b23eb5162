"""Work that a provider put off: it had too many requests, or too much to do, and did not begin.

That is nobody's failure: the event goes back uncounted and waits as long as the provider said, or longer each time
where it said nothing. It ends: put off too often or for too long, the event has failed, so that nothing waits for ever.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from pyscrai.contract.events import Finish
from pyscrai_api.database import Connection
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.store import FailRow, HandBack, lock_rows

CODES = ("model_rate_limited", "model_overloaded")
"""What an engine says of such work when it hands it back."""
MOST_TIMES = 20
LONGEST_SECONDS = 900.0
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds where the provider said nothing; doubled each time."""


async def put_off(conn: Connection, items: Sequence[Finish], *, hold: bool) -> tuple[list[HandBack], list[FailRow]]:
    """Hand-backs as the queue is to take them; those that were put off for too long are failures instead.

    `hold`: the run of these events does not run. Inside the caller's transaction, before it ends their leases.
    """
    late = [item for item in items if item.code in CODES]
    before = await _before(conn, [item.event_id for item in late]) if late else {}
    back = [_hand_back(item, before.get(item.event_id), hold) for item in items if item.code not in CODES]
    failed: list[FailRow] = []
    for item in late:
        row = before.get(item.event_id)
        if row is not None and (row["times"] >= MOST_TIMES or row["seconds"] >= LONGEST_SECONDS):
            failed.append(_given_up(item, row))
        else:
            back.append(_hand_back(item, row, hold))
    await lock_rows(conn, failed, back)
    return back, failed


async def _before(conn: Connection, ids: list[int]) -> dict[int, Any]:
    rows = await conn.fetch(sql("finish", "deferred"), ids, list(CODES))
    return {row["event_id"]: row for row in rows}


def _hand_back(item: Finish, before: Any, hold: bool) -> HandBack:
    if item.code not in CODES:
        return HandBack(item.event_id, item.lease_no, hold=hold)
    times = 0 if before is None else before["times"]
    wait = item.retry_after or min(FIRST_WAIT * 2**times, LONGEST_WAIT)
    return HandBack(
        item.event_id,
        item.lease_no,
        delay=wait * random.uniform(1.0, 1.25),  # only longer: what the provider said is a promise
        reason=item.error,
        code=item.code,
    )


def _given_up(item: Finish, before: Any) -> FailRow:
    error = f"put off {before['times']} times within {before['seconds']:.0f} s: {item.error or 'no reason was given'}"
    return FailRow(item.event_id, item.lease_no, error, item.code, item.retry_after)
