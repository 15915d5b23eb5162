"""Answers by the content of their requests, across runs: for runs that ask for it, and for their owner alone.

The address is made of the request's hash and of the seed that its model got. That seed is a hash of the run's seed and
of the call's place, so that repetitions under other seeds stay repetitions, two seats that ask the same at once do not
take each other's answer, and what is found never depends on who was faster.

An answer is kept when its event is completed, with all that was answered under the same lease: an unusable answer is
kept only together with its repair, and what ended in a failure is not kept at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyscrai.contract.calls import CachedAnswers
from pyscrai.domain.canonical import sha256
from pyscrai.domain.chance import chance
from pyscrai_api.database import Connection

_READ = "SELECT request_hash, answer, usage FROM cached_answers WHERE owner = $1 AND request_hash = ANY($2::text[])"
_ANSWERED = """
SELECT c.step, c.ordinal, c.request_hash, c.model, c.answer, c.usage FROM calls c
JOIN unnest($1::bigint[], $2::int[]) AS ended (event_id, lease_no) USING (event_id, lease_no)
WHERE c.source IS NULL AND c.answer IS NOT NULL AND c.step IS NOT NULL ORDER BY c.step, c.ordinal, c.call
"""
# In the order of the key: two runs that keep the same answers at once must not wait for each other crosswise.
_KEEP = """
INSERT INTO cached_answers (owner, request_hash, model, answer, usage)
SELECT $1, address, model, answer, usage::jsonb
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS line (address, model, answer, usage)
ORDER BY address ON CONFLICT DO NOTHING
"""
_PRUNE = """
DELETE FROM cached_answers WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM cached_answers WHERE created_at < now() - make_interval(secs => $1)
    ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
# Hits are counted where they were taken: on the calls of runs.
_HELD = """
SELECT count(*) AS answers, coalesce(sum(octet_length(answer)), 0) AS bytes,
  (SELECT count(*) FROM calls WHERE owner = $1 AND source = 'cache') AS hits
FROM cached_answers WHERE owner = $1
"""
_CLEAR = """
DELETE FROM cached_answers WHERE (owner, request_hash) IN (
    SELECT owner, request_hash FROM cached_answers WHERE owner = $1 ORDER BY request_hash LIMIT 5000 FOR UPDATE)
"""


def address(request_hash: str, seed: int, step: int, ordinal: int) -> str:
    """Where an answer is kept: the request, and the seed of its model. `seed` is the run's."""
    return sha256(f"{request_hash}\n{chance(seed, step, ordinal, 'model')}")


async def read(conn: Connection, owner: str, addresses: Sequence[str]) -> Mapping[str, Any]:
    """Address → what is kept there (`answer`, `usage`)."""
    if not addresses:
        return {}
    return {row["request_hash"]: row for row in await conn.fetch(_READ, owner, addresses)}


async def keep(conn: Connection, owner: str, seed: int, leases: Sequence[tuple[int, int]]) -> None:
    """Keep what models answered under leases (event, number) that completed their events. The first answer stays."""
    if not leases:
        return
    rows = await conn.fetch(_ANSWERED, [event for event, _ in leases], [lease_no for _, lease_no in leases])
    if not rows:
        return
    await conn.execute(
        _KEEP, owner, [address(row["request_hash"], seed, row["step"], row["ordinal"]) for row in rows],
        [row["model"] for row in rows], [row["answer"] for row in rows], [row["usage"] for row in rows],
    )  # fmt: skip


async def held(conn: Connection, owner: str, days: float) -> CachedAnswers:
    """What an owner's cache holds, and how often it was of use."""
    row = await conn.fetchrow(_HELD, owner)
    return CachedAnswers(answers=row["answers"], bytes=row["bytes"], hits=row["hits"], days=days)


async def clear(conn: Connection, owner: str) -> int:
    """Forget an owner's answers, in batches; returns how many."""
    total = 0
    while done := _count(await conn.execute(_CLEAR, owner)):
        total += done
    return total


async def prune(conn: Connection, seconds: float, most: int) -> int:
    """Forget up to `most` answers that are older than so many seconds; returns how many."""
    return _count(await conn.execute(_PRUNE, seconds, most))


def _count(done: str) -> int:
    return int(done.rpartition(" ")[2])
