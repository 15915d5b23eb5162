"""Answers that were given before, in place of model calls: of the run that is replayed, or of the cache.

A replayed run takes every answer from its recording, by position: the event at the same (step, ordinal), the lease that
ended it, and the number of the answer under that lease. What failed or was lost while it was recorded leaves no trace.
The request has to be the recorded one, hash by hash; a run that asks something else stops there.

Nothing here reserves money: such a call costs nothing, whatever its model costs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from pyscrai.contract.events import Grant, RequestMessage, Reserve, Usage
from pyscrai_api.database import Connection
from pyscrai_api.money import cache

Name = tuple[int, int, int]
"""(event, lease number, call)."""
Position = tuple[int, int]
"""(step, ordinal)."""
Source = Literal["replay", "cache"]

_RECORDED = """
SELECT asked.step, asked.ordinal, e.id IS NOT NULL AS there, o.event_id IS NOT NULL AS finished, c.nth, c.model,
  c.max_tokens, c.request_hash, c.request, c.answer, c.usage
FROM unnest($2::int[], $3::int[]) AS asked (step, ordinal)
LEFT JOIN events e ON e.run_id = $1 AND e.step = asked.step AND e.ordinal = asked.ordinal
LEFT JOIN outcomes o ON o.event_id = e.id AND o.state = 1
LEFT JOIN LATERAL (
    SELECT row_number() OVER (ORDER BY call) AS nth, model, max_tokens, request_hash, request, answer, usage
    FROM calls WHERE event_id = e.id AND lease_no = o.lease_no AND answer IS NOT NULL
  ) c ON true
"""
_TEXTS = "SELECT hash, role, content FROM request_texts WHERE run_id = $1 AND hash = ANY($2::text[])"
_WHERE = "SELECT number, turn, status FROM runs WHERE id = $1"
_GIVEN = """
SELECT c.event_id, c.lease_no, c.call, c.source, c.answer, c.usage FROM calls c
JOIN unnest($1::bigint[], $2::int[], $3::int[]) AS asked (event_id, lease_no, call) USING (event_id, lease_no, call)
WHERE c.source IS NOT NULL AND c.state = 1
"""
_INSERT = """
INSERT INTO calls (event_id, lease_no, call, run_id, owner, step, ordinal, try_no, state, model, input_bound,
  max_tokens, input_price, output_price, reserved, request_hash, source, answer, usage)
SELECT event_id, lease_no, call, $1, $2, step, ordinal, try_no, 1, model, input_bound, max_tokens, 0, 0, 0,
  request_hash, source, answer, usage::jsonb
FROM unnest($3::bigint[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::text[], $10::int[], $11::int[],
  $12::text[], $13::text[], $14::text[], $15::text[])
  AS line (event_id, lease_no, call, step, ordinal, try_no, model, input_bound, max_tokens, request_hash, source,
    answer, usage)
"""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Where a run takes answers from: the recording of `replay_of`, or its owner's cache under its own `seed`."""

    run_id: UUID
    owner: str
    replay_of: UUID | None = None
    cached: bool = False
    seed: int = 0


@dataclass(kw_only=True)
class Recordings:
    """What is known of a batch of calls before any money is asked for; `write` keeps those that were given out."""

    conn: Connection
    memory: Memory
    positions: Mapping[int, Position]
    found: Mapping[Name, Grant] = field(default_factory=dict)
    before: Mapping[Name, Grant] = field(default_factory=dict)
    given: dict[Name, tuple[Reserve, Position, Grant]] = field(default_factory=dict)

    def again(self, call: Reserve) -> Grant | None:
        """The answer that this very call got already, should that have been lost on its way."""
        name = name_of(call)
        return self.given[name][2] if name in self.given else self.before.get(name)

    def take(self, call: Reserve) -> Grant | None:
        """The answer to a call, or why there is none; None where a model has to be asked."""
        grant = self.found.get(name_of(call))
        if grant is not None and grant.state == "granted":
            self.given[name_of(call)] = (call, self.positions[call.event_id], grant)
        return grant

    async def write(self) -> None:
        if not self.given:
            return
        calls, places, grants = (list(column) for column in zip(*self.given.values(), strict=True))
        await self.conn.execute(
            _INSERT, self.memory.run_id, self.memory.owner,
            [c.event_id for c in calls], [c.lease_no for c in calls], [c.call for c in calls],
            [p[0] for p in places], [p[1] for p in places], [c.try_no for c in calls], [c.model for c in calls],
            [c.input_bound for c in calls], [c.max_tokens for c in calls], [c.request_hash for c in calls],
            [g.source for g in grants], [g.answer for g in grants],
            [None if g.usage is None else g.usage.model_dump_json() for g in grants],
        )  # fmt: skip


async def look_up(
    conn: Connection,
    memory: Memory,
    calls: Sequence[Reserve],
    positions: Mapping[int, Position],
    made: Collection[Name],
) -> Recordings:
    """What the run of these calls remembers of them, in one query or two.

    `positions`: of the events; `made`: calls that were reserved already.
    """
    new = [call for call in calls if call.event_id in positions and name_of(call) not in made]
    before = await _given(conn, [name_of(call) for call in calls if name_of(call) in made])
    if memory.replay_of is not None:
        found = await _replayed(conn, memory.replay_of, new, positions)
    else:
        found = await _cached(conn, memory, new, positions)
    return Recordings(conn=conn, memory=memory, positions=positions, found=found, before=before)


def name_of(call: Reserve) -> Name:
    return call.event_id, call.lease_no, call.call


async def _given(conn: Connection, names: Sequence[Name]) -> dict[Name, Grant]:
    if not names:
        return {}
    rows = await conn.fetch(_GIVEN, *([name[i] for name in names] for i in range(3)))
    return {
        (row["event_id"], row["lease_no"], row["call"]): _answered(row["event_id"], row["call"], row["source"], row)
        for row in rows
    }


async def _replayed(
    conn: Connection, recording: UUID, calls: Sequence[Reserve], positions: Mapping[int, Position]
) -> dict[Name, Grant]:
    if not calls:
        return {}
    places = sorted({positions[call.event_id] for call in calls})
    rows = await conn.fetch(_RECORDED, recording, [place[0] for place in places], [place[1] for place in places])
    recorded = {(row["step"], row["ordinal"], row["nth"] or 0): row for row in rows}
    at = {(row["step"], row["ordinal"]): row for row in rows}
    found: dict[Name, Grant] = {}
    wrong: list[tuple[Reserve, Any]] = []
    for call in calls:
        place = positions[call.event_id]
        row = recorded.get((*place, call.call))
        if row is None:
            detail = await _why_not(conn, recording, at[place])
            found[name_of(call)] = Grant(event_id=call.event_id, call=call.call, state="recording_ends", detail=detail)
        elif row["request_hash"] == call.request_hash:
            found[name_of(call)] = _answered(call.event_id, call.call, "replay", row)
        else:
            wrong.append((call, row))
    return found | await _diverged(conn, recording, wrong)


async def _why_not(conn: Connection, recording: UUID, row: Any) -> str:
    run = await conn.fetchrow(_WHERE, recording)
    name = f"run-{run['number']:03d}"
    if row["finished"]:
        return f"{name} got a result here without another model call that was recorded"
    if row["there"]:
        return f"the recording ends here: in {name} this was never answered (it is {run['status']})"
    return f"the recording ends at turn {run['turn']}: {name} went no further, or another way (it is {run['status']})"


async def _diverged(conn: Connection, recording: UUID, wrong: Sequence[tuple[Reserve, Any]]) -> dict[Name, Grant]:
    if not wrong:
        return {}
    hashes = sorted({each for _, row in wrong for each in _hashes(row)})
    texts = {row["hash"]: row for row in await conn.fetch(_TEXTS, recording, hashes)}
    return {
        name_of(call): Grant(
            event_id=call.event_id,
            call=call.call,
            state="diverged",
            detail="; ".join(_differs(call, row)),
            recorded=[
                RequestMessage(role=texts[each]["role"], text=texts[each]["content"])
                for each in _hashes(row)
                if each in texts
            ],
        )
        for call, row in wrong
    }


def _differs(call: Reserve, row: Any) -> Iterable[str]:
    """What differs beside the texts, as far as it is kept by itself."""
    if call.model != row["model"]:
        yield f"Recorded with the model {row['model']}, asked now of {call.model}."
    if call.max_tokens != row["max_tokens"]:
        yield f"Recorded with at most {row['max_tokens']} tokens of answer, asked now with {call.max_tokens}."


async def _cached(
    conn: Connection, memory: Memory, calls: Sequence[Reserve], positions: Mapping[int, Position]
) -> dict[Name, Grant]:
    # After a failure the model itself is asked: an answer that ends in the same failure each time would end the run.
    first = [call for call in calls if call.try_no == 1]
    addresses = {
        name_of(call): cache.address(call.request_hash, memory.seed, *positions[call.event_id]) for call in first
    }
    rows = await cache.read(conn, memory.owner, sorted(set(addresses.values())))
    return {
        name_of(call): _answered(call.event_id, call.call, "cache", rows[addresses[name_of(call)]])
        for call in first
        if addresses[name_of(call)] in rows
    }


def _answered(event_id: int, call: int, source: Source, row: Any) -> Grant:
    usage = None if row["usage"] is None else Usage.model_validate_json(row["usage"])
    return Grant.model_validate(
        {
            "event_id": event_id,
            "call": call,
            "state": "granted",
            "reserved": "0",
            "source": source,
            "answer": row["answer"],
            "usage": usage,
        }
    )


def _hashes(row: Any) -> list[str]:
    hashes: list[str] = json.loads(row["request"]) if row["request"] else []
    return hashes
