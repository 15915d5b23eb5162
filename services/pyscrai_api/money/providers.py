"""Room at the model providers: one bucket for each and each of its keys (`money.key_holders`), for all engines of an
installation, asked where a call is reserved.

A bucket is one row of `providers`: the moments of its two rates, and until when the provider asked to be left alone.
How many calls are open is counted, not kept, under the row's lock: so nothing leaks, whoever dies. Without declared
limits nothing is locked; the row is only read. Locks: run, queue rows by id, buckets by name, purses, calls: there has
to be room before money is drawn, and nothing that holds a purse asks for a bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pyscrai.contract.events import CallRecord, Reserve
from pyscrai.domain.canonical import clean_text
from pyscrai_api.database import Connection, Pool
from pyscrai_api.money.key_holders import buckets
from pyscrai_api.money.lines import Lines
from pyscrai_api.money.provider_limits import Declared, ProviderLimits, split
from pyscrai_api.money.reporters import believed
from pyscrai_api.queue.store import HandBack

LONGEST_BLOCK = 600.0
"""Seconds: a provider that asks for more is asked again after that."""
LONGEST_SAID = 300
NO_ROOM = "no_room"
"""The code of what our own limits put off. It may wait for as long as it takes: its turn comes."""
BACK_PER_SECOND = 20.0
"""How many waiting events come back per second once a provider is open again that has no limits."""
SHORTEST_CALL, LONGEST_CALL = 1.0, 60.0
_LOCK = "SELECT name FROM providers WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE"
_MAKE = "INSERT INTO providers (name) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING"
_READ = """
SELECT p.name, p.requests_at, p.tokens_at, p.blocked_until, p.blocked_by, clock_timestamp() AS now, o.leases, o.age
FROM providers p CROSS JOIN LATERAL (
  SELECT count(DISTINCT (c.event_id, c.lease_no)) AS leases,
    coalesce(avg(extract(epoch FROM clock_timestamp() - c.reserved_at)), 0)::float8 AS age
  FROM calls c WHERE c.state = 1 AND c.provider = p.name AND p.name = ANY($2::text[])
) o WHERE p.name = ANY($1::text[])
"""
_SAVE = """
UPDATE providers p SET requests_at = line.requests_at, tokens_at = line.tokens_at
FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS line (name, requests_at, tokens_at)
WHERE p.name = line.name
"""
# Only calls that are still open: a report that is repeated, or comes late, says nothing about now.
_BLOCK = f"""
INSERT INTO providers (name, blocked_until, blocked_by)
SELECT c.provider, now() + make_interval(secs => max(told.seconds)),
  (array_agg(told.said ORDER BY told.seconds DESC))[1]
FROM unnest($1::bigint[], $2::int[], $3::int[], $4::float8[], $5::text[])
  AS told (event_id, lease_no, call, seconds, said)
JOIN calls c USING (event_id, lease_no, call)
WHERE c.state = 1 AND c.provider IS NOT NULL AND {believed("$6")} GROUP BY c.provider ORDER BY c.provider
ON CONFLICT (name) DO UPDATE SET
  blocked_by = CASE WHEN providers.blocked_until >= excluded.blocked_until THEN providers.blocked_by
    ELSE excluded.blocked_by END,
  blocked_until = greatest(providers.blocked_until, excluded.blocked_until)
RETURNING name
"""


@dataclass(frozen=True)
class NoRoom:
    """Why a call cannot be made now. `delay`: seconds after which its event shall come back. `said_so`: the provider
    itself asked for it."""

    provider: str
    detail: str
    delay: float
    said_so: bool

    def hand_back(self, call: Reserve) -> HandBack:
        """How the event of the call goes back: uncounted, to come again when there may be room."""
        code = "model_rate_limited" if self.said_so else NO_ROOM
        return HandBack(call.event_id, call.lease_no, delay=self.delay, reason=self.detail, code=code)


@dataclass(kw_only=True)
class _Bucket:
    name: str
    limits: ProviderLimits
    now: datetime
    requests_at: datetime
    tokens_at: datetime
    blocked_until: datetime | None
    blocked_by: str | None
    leases: int
    age: float
    used: bool = False

    @property
    def title(self) -> str:
        """As a person is told."""
        provider, holder = split(self.name)
        return provider if holder is None else f"{provider} (with the key of {holder})"

    def shortages(self, tokens: int) -> Iterable[tuple[float, float, str]]:
        """What keeps a call from being made now: seconds to wait, seconds between two that wait, and in words."""
        limits = self.limits
        if limits.concurrency is not None and self.leases >= limits.concurrency:
            # Open calls are half done on the average, so each takes twice as long as they are old.
            pace = min(max(2 * self.age, SHORTEST_CALL), LONGEST_CALL) / limits.concurrency
            yield pace, pace, f"{self.leases} of {limits.concurrency} calls at once are open"
        if (rate := limits.requests) is not None and (wait := rate.wait(self.requests_at, self.now, 1)):
            yield wait, rate.interval, f"{limits.requests_per_minute} requests a minute are allowed"
        if (rate := limits.tokens) is not None and (wait := rate.wait(self.tokens_at, self.now, tokens)):
            yield wait, tokens * rate.interval, f"{limits.tokens_per_minute} tokens a minute are allowed"

    def take(self, tokens: int, *, repair: bool) -> None:
        self.leases += not repair
        self.used = True
        if (rate := self.limits.requests) is not None:
            self.requests_at = rate.after(self.requests_at, self.now, 1)
        if (rate := self.limits.tokens) is not None:
            self.tokens_at = rate.after(self.tokens_at, self.now, tokens)


class Room:
    """The buckets of the calls of one transaction. Ask, take what was granted, and save at the end."""

    def __init__(
        self, conn: Connection, names: Mapping[str, str], buckets: Mapping[str, _Bucket], lines: Lines
    ) -> None:
        self._conn = conn
        self._names = names
        self._buckets = buckets
        self._lines = lines

    def name_of(self, call: Reserve) -> str | None:
        """The bucket that a call counts in; None for what no provider answers."""
        return self._names.get(call.model)

    def _of(self, call: Reserve) -> _Bucket | None:
        return self._buckets.get(self._names.get(call.model, ""))

    def refusal(self, call: Reserve) -> NoRoom | None:
        """Why this call cannot be made now; None where there is room. Takes nothing.

        A repair (a second call under a lease) uses the place of the first one, and goes before the rates: sending its
        event away would throw an answer away that was paid for. Others wait the longer.
        """
        bucket = self._of(call)
        if bucket is None:
            return None
        if bucket.blocked_until is not None and bucket.blocked_until > bucket.now:
            wait = (bucket.blocked_until - bucket.now).total_seconds()
            why = bucket.blocked_by or "it gave no reason"
            detail = f"{bucket.title} asked for a break of {wait:.0f} s more: {why}"
            return self._back(bucket, detail, wait, 1 / BACK_PER_SECOND, said_so=True)
        if call.call > 1:
            return None
        short = max(bucket.shortages(_tokens(call)), default=None)
        if short is None:
            return None
        wait, pace, words = short
        return self._back(bucket, f"{bucket.title} has no room: {words}", wait, pace)

    def take(self, call: Reserve) -> None:
        """Book a call that is granted."""
        bucket = self._of(call)
        if bucket is not None:
            bucket.take(_tokens(call), repair=call.call > 1)

    async def save(self) -> None:
        """Write what was taken. Once, in the transaction that the buckets were locked by."""
        used = [bucket for bucket in self._buckets.values() if bucket.used and bucket.limits.bounded]
        if used:
            await self._conn.execute(
                _SAVE, [b.name for b in used], [b.requests_at for b in used], [b.tokens_at for b in used]
            )

    def _back(self, bucket: _Bucket, detail: str, wait: float, pace: float, *, said_so: bool = False) -> NoRoom:
        self._lines.refused(bucket.name, "provider" if said_so else "limits")
        delay = self._lines.ticket(bucket.name, bucket.now, wait, pace)
        return NoRoom(provider=bucket.name, detail=detail, delay=delay, said_so=said_so)


def _tokens(call: Reserve) -> int:
    return call.input_bound + call.max_tokens


class Providers:
    """The providers of an installation, as one API process asks for them; `declared` are their limits."""

    def __init__(self, declared: Declared | None = None, lines: Lines | None = None) -> None:
        self.declared = declared or Declared()
        self.lines = lines or Lines()

    async def room(self, conn: Connection, calls: Sequence[Reserve], *, owner: str, engine_id: UUID) -> Room:
        """The buckets of calls that an engine is about to make and `owner` pays for; those with limits are locked
        until the transaction ends."""
        of_models = await buckets(conn, [call.model for call in calls], owner, engine_id)
        names = sorted(set(of_models.values()))
        if not names:
            return Room(conn, of_models, {}, self.lines)
        limits = {name: self.declared.of(name) for name in names}
        bounded = [name for name in names if limits[name].bounded]
        if bounded and len(await conn.fetch(_LOCK, bounded)) < len(bounded):
            await conn.execute(_MAKE, bounded)
            await conn.fetch(_LOCK, bounded)
        # A statement of its own, after the lock: it sees what those before us have taken, and the time as it is now.
        counted = [name for name in bounded if limits[name].concurrency is not None]
        rows = await conn.fetch(_READ, names, counted)
        found = {row["name"]: _bucket(row, limits[row["name"]]) for row in rows}
        return Room(conn, of_models, found, self.lines)

    async def heed(self, pool: Pool, engine_id: UUID, calls: Sequence[CallRecord]) -> None:
        """Leave those alone that asked for it in answer to calls of this engine.

        Before they are settled, and with nothing locked: what else is done with them may fail, the provider's word
        counts all the same.
        """
        told = [call for call in calls if call.retry_after]
        if not told:
            return
        names = await pool.fetch(
            _BLOCK,
            [call.event_id for call in told], [call.lease_no for call in told], [call.call for call in told],
            [min(call.retry_after or 0.0, LONGEST_BLOCK) for call in told],
            [clean_text(call.error or "too many requests")[:LONGEST_SAID] for call in told],
            engine_id,
        )  # fmt: skip
        for row in names:
            self.lines.refused(row["name"], "provider")


def _bucket(row: Any, limits: ProviderLimits) -> _Bucket:
    return _Bucket(**dict(row.items()), limits=limits)
