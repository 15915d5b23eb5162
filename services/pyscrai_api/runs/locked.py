"""A run under its row lock: what changes is collected here and written once, by `save`.

Everything that touches a run's queue rows, calls or log holds this lock first (DESIGN rule 4: run, then queue rows
by id, then money), so the values read with it stay true until the transaction ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog

from pyscrai.contract.events import CallRecord, Reserve
from pyscrai.contract.runs import TERMINAL, Trouble
from pyscrai.domain.digest import canonical_entry, link
from pyscrai.domain.entry import Entry, draft
from pyscrai_api.database import Connection
from pyscrai_api.money.account import TODAY, Account
from pyscrai_api.money.purses import flush, let_go, warning, worth_a_warning
from pyscrai_api.money.recorded import Memory
from pyscrai_api.money.standing import Standing
from pyscrai_api.queue.store import HandBack, Place, Woken, first_of_lanes

log = structlog.get_logger(__name__)

_COLUMNS = (
    "status, reason, outcome, turn, turns, phase, step, open, last_seq, at_seq, last_pass, digest, limit_usd, spent, "
    "reserved, open_calls, model_calls, pool, short_of_money, plan_version, tranche, drawn_on, warned_at, group_name, "
    "replay_of, cached, seed, waiting, branch_seq"
)
_LOCK = f"SELECT id, owner, choices, {_COLUMNS}, {TODAY} FROM runs WHERE id = $1 FOR UPDATE"
_LOCK_IF_FREE = _LOCK + " SKIP LOCKED"
_SAVE = """
UPDATE runs SET status = $2, reason = $3, outcome = $4, turn = $5, turns = $6, phase = $7, step = $8, open = $9,
  last_seq = $10, at_seq = $11, last_pass = $12, digest = $13, limit_usd = $14, spent = $15, reserved = $16,
  open_calls = $17, model_calls = $18, pool = $19, short_of_money = $20, tranche = $21, drawn_on = $22, warned_at = $23,
  waiting = $24,
  started_at = coalesce(started_at, CASE WHEN $2 IN ('running', 'waiting') THEN now() END),
  ended_at = coalesce(ended_at, CASE WHEN $2 IN ('completed', 'failed', 'cancelled') THEN now() END)
WHERE id = $1
"""
# Lines and row in one statement: each is a round trip, and of those a step is made.
_SAVE_WITH_LINES = f"""
WITH appended AS (
  INSERT INTO entries (run_id, seq, track, kind, turn, step, n, canonical, body, cost, remaining)
  SELECT $1, seq, track, kind, turn, step, n, canonical, canonical::jsonb -> 'body', $15, $32
  FROM unnest($25::bigint[], $26::text[], $27::text[], $28::int[], $29::int[], $30::int[], $31::text[])
    AS line (seq, track, kind, turn, step, n, canonical)
) {_SAVE}
"""


@dataclass(kw_only=True)
class LockedRun(Account):
    """One run, locked by the transaction of `conn`. Change the fields, `log` lines, then `save` once.

    `waiting`: how many of the `open` events wait for a person. `lanes` are rung after the commit, each with the first
    place that is ready there, when it is told too which leases were `lost` and which events have `died`. `recorded`:
    the step of a replay has moves of people, to be taken from its recording. `short_of_money`: some event may be held
    for want of it. `warned_at`: the limit that people were warned of.
    """

    id: UUID
    choices: dict[str, Any]
    status: str
    reason: dict[str, Any] | None
    outcome: str | None
    turn: int
    turns: int
    phase: str | None
    step: int
    open: int
    last_seq: int
    at_seq: int
    last_pass: int
    digest: str
    warned_at: Decimal | None
    pool: str | None
    short_of_money: bool
    plan_version: int
    replay_of: UUID | None
    cached: bool
    seed: int
    branch_seq: int | None
    waiting: int
    lanes: dict[str, Place] = field(default_factory=dict)
    recorded: bool = False
    lost: list[int] = field(default_factory=list)
    died: list[int] = field(default_factory=list)
    _lines: list[Entry] = field(default_factory=list)

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL

    def woke(self, woken: Iterable[Woken]) -> None:
        """Ring the lanes of these, which are ready now. Without their place, claims that are beyond it would come back
        to them after a second only."""
        for lane, place in first_of_lanes(woken).items():
            self.lanes[lane] = min(place, self.lanes.get(lane, place))

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def playing(self) -> bool:
        """Whether it runs, or would but for people who are asked."""
        return self.status in ("running", "waiting")

    @property
    def only_waits(self) -> bool:
        """Whether there is nothing to do before some person says something."""
        return self.open > 0 and self.waiting == self.open

    @property
    def branching(self) -> bool:
        """Whether it is a branch of which nothing but the shared story is there yet."""
        return self.branch_seq is not None and self.at_seq == self.branch_seq

    @property
    def run_id(self) -> UUID:
        return self.id

    @property
    def memory(self) -> Memory | None:
        if self.replay_of is None and not self.cached:
            return None
        return Memory(run_id=self.id, owner=self.owner, replay_of=self.replay_of, cached=self.cached, seed=self.seed)

    def refused(self, call: Reserve, bound: Decimal, lacking: Standing) -> HandBack:
        """Held until there is so much money."""
        return HandBack(call.event_id, call.lease_no, hold=True, need=bound)

    def alarm(self, record: CallRecord, paid: Decimal, reserved: Decimal) -> None:
        """The provider counted more than the proven bound: a person is to look before more is spent."""
        message = (
            f"a call to {record.model} cost {paid:f} USD, more than the {reserved:f} that were reserved as its bound: "
            "the provider counts tokens otherwise than assumed. The cost is booked. Check the model's price and limits."
        )
        log.error("bound_exceeded", run=str(self.id), event_id=record.event_id, model=record.model, reason=message)
        if self._goes_on_by_itself:
            self.stop("paused", "run_paused", Trouble(code="bound_exceeded", message=message, event_id=record.event_id))

    @property
    def _goes_on_by_itself(self) -> bool:
        """Whether more may be spent without a person having looked: also when there is money, or a place, again."""
        code = (self.reason or {}).get("code")
        return self.playing or self.status == "pending" or (self.status, code) == ("paused", "out_of_money")

    def warn(self, body: dict[str, Any]) -> None:
        self.log("credit_limit_warning", body)

    def log(self, kind: str, body: dict[str, Any] | None = None, seat: str | None = None) -> None:
        """One control line; it is numbered now and written by `save`."""
        line = draft(kind, body, turn=self.turn, phase=self.phase, seat=seat)
        self.append([Entry(**dict(line), seq=self.last_seq + 1, step=self.step, n=0)])

    def append(self, entries: Sequence[Entry]) -> None:
        """Numbered lines, in order; story lines lengthen the digest."""
        for entry in entries:
            if entry.seq != self.last_seq + 1:
                raise AssertionError(f"entry {entry.seq} does not follow {self.last_seq}")
            if entry.track == "story":
                self.digest = link(self.digest, canonical_entry(entry))
            self.last_seq = entry.seq
            self._lines.append(entry)

    def stop(self, status: str, kind: str, trouble: Trouble) -> None:
        """Stand still or fail, and say why: the reason on the run, and a control line."""
        self.status = status
        self.reason = trouble.model_dump(mode="json", exclude_none=True)
        self.log(kind, self.reason, seat=trouble.seat)

    def stand(self) -> None:
        """Waiting where all that is open of a run that plays waits for people, else running."""
        if self.playing:
            self.status = "waiting" if self.only_waits else "running"

    async def save(self) -> None:
        """Write the lines, the row and what purses get back. Once, at the end of what the lock was taken for."""
        self.stand()
        if not self.running:
            let_go(self)
        self._warn_of_limit()
        reason = None if self.reason is None else json.dumps(self.reason)
        row = (
            *(self.id, self.status, reason, self.outcome, self.turn, self.turns, self.phase, self.step, self.open),
            *(self.last_seq, self.at_seq, self.last_pass, self.digest, self.limit_usd, self.spent, self.reserved),
            *(self.open_calls, self.model_calls, self.pool, self.short_of_money),
            *(self.tranche, self.drawn_on, self.warned_at, self.waiting),
        )
        if self._lines:
            await self.conn.execute(_SAVE_WITH_LINES, *row, *self._columns())
        else:
            await self.conn.execute(_SAVE, *row)
        await flush(self.conn, [self])

    def _warn_of_limit(self) -> None:
        """Once for each value of the limit."""
        used, limit = self.spent + self.reserved, self.limit_usd
        if limit is not None and limit != self.warned_at and worth_a_warning(used, limit):
            self.warned_at = limit
            self.warn(warning("run", "", limit, used))

    def _columns(self) -> tuple[Any, ...]:
        """The new lines, taken, as the statement has them."""
        lines, self._lines = self._lines, []
        remaining = None if self.limit_usd is None else max(Decimal(0), self.limit_usd - self.spent)
        return (
            *([e.seq for e in lines], [e.track for e in lines], [e.kind for e in lines]),
            *([e.turn for e in lines], [e.step for e in lines], [e.n for e in lines]),
            *([canonical_entry(e) for e in lines], remaining),
        )


async def lock(conn: Connection, run_id: UUID, *, if_free: bool = False) -> LockedRun | None:
    """Lock a run's row. None where there is no such run, or (`if_free`) somebody else holds it now."""
    row = await conn.fetchrow(_LOCK_IF_FREE if if_free else _LOCK, run_id)
    if row is None:
        return None
    values = dict(row)
    for name in ("choices", "reason"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return LockedRun(conn=conn, **values)
