"""A run's model calls, in the order of their places in the run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from pyscrai.contract.calls import CallState, ModelCall
from pyscrai.contract.events import RequestMessage
from pyscrai.contract.wire import Page
from pyscrai_api.database import Connection
from pyscrai_api.errors import Invalid
from pyscrai_api.money.settlements import ASSUMED, RELEASED, RESERVED, SETTLED

Place = tuple[int, int, int, int]
STATES: Mapping[int, CallState] = {RESERVED: "reserved", SETTLED: "settled", ASSUMED: "assumed", RELEASED: "released"}
_START: Place = (-1, -1, -1, -1)
_PAGE = """
SELECT c.event_id, e.event_type, c.step, c.ordinal, e.turn, e.phase, e.seat, c.lease_no, c.try_no, c.call, c.model,
  c.state, c.reserved, c.cost, c.usage, c.request, c.request_hash, c.answer, c.source, c.error, c.seconds,
  c.reserved_at, c.settled_at
FROM calls c JOIN events e ON e.id = c.event_id
WHERE c.run_id = $1 AND (c.step, c.ordinal, c.lease_no, c.call) > ($2::int, $3::int, $4::int, $5::int)
ORDER BY c.step, c.ordinal, c.lease_no, c.call LIMIT $6
"""
# What a replay asked is kept with its recording.
_TEXTS = """
SELECT hash, role, content FROM request_texts
WHERE run_id IN (SELECT unnest(array[id, replay_of]) FROM runs WHERE id = $1) AND hash = ANY($2::text[])
"""


async def read_calls(conn: Connection, run_id: UUID, after: str | None, limit: int) -> Page[ModelCall]:
    """A page of calls after a place (`next` of the page before). Raises Invalid for what is no place."""
    rows = await conn.fetch(_PAGE, run_id, *_place(after), limit + 1)
    hashes = sorted({h for row in rows[:limit] for h in _hashes(row)})
    texts = {row["hash"]: row for row in await conn.fetch(_TEXTS, run_id, hashes)} if hashes else {}
    calls = [_shown(row, texts) for row in rows[:limit]]
    following = _name(rows[limit - 1]) if len(rows) > limit else None
    return Page(items=calls, next=following)


def _place(after: str | None) -> Place:
    if after is None:
        return _START
    parts = after.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts):
        raise Invalid(f"`after` is not the place of a call: {after[:60]!r}")
    step, ordinal, lease_no, call = map(int, parts)
    return step, ordinal, lease_no, call


def _name(row: Any) -> str:
    return f"{row['step']}.{row['ordinal']}.{row['lease_no']}.{row['call']}"


def _hashes(row: Any) -> list[str]:
    hashes: list[str] = json.loads(row["request"]) if row["request"] else []
    return hashes


def _shown(row: Any, texts: Mapping[str, Any]) -> ModelCall:
    values = dict(row)
    return ModelCall.model_validate(
        values
        | {
            "try": values.pop("try_no"),
            "state": STATES[row["state"]],
            "usage": json.loads(row["usage"]) if row["usage"] else None,
            "request": list(_messages(_hashes(row), texts)),
            "reserved_at": row["reserved_at"].isoformat(),
            "settled_at": row["settled_at"] and row["settled_at"].isoformat(),
        }
    )


def _messages(hashes: Iterable[str], texts: Mapping[str, Any]) -> Iterable[RequestMessage]:
    return (RequestMessage(role=texts[h]["role"], text=texts[h]["content"]) for h in hashes if h in texts)
