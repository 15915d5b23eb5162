"""Runs that stand still go on: because a person says so, or because there is money again.

Money comes back when other runs settle below what they reserved, end or pause; when a call is known to have cost less
than was assumed; when somebody raises a limit; and with a new day or week. A person's pause is not undone by it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from uuid import UUID

import structlog

from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import from_exception
from pyscrai_api.money import waiting
from pyscrai_api.money.account import TODAY
from pyscrai_api.money.purses import WiderLimits, keys, read
from pyscrai_api.queue import people, store
from pyscrai_api.runs.finisher import RunEvents, ring_ready
from pyscrai_api.runs.locked import LockedRun

log = structlog.get_logger(__name__)

Play = Callable[[LockedRun], Awaitable[None]]
"""Lets a run go on, or wait for a place (`admission`)."""

LOOKED_AT = 500
"""Runs that one pass looks at; the next goes on behind them."""
FIRST = UUID(int=0)
_DEAD = "SELECT id FROM queue WHERE run_id = $1 AND state = 6 ORDER BY id"
_TODAY = f"SELECT {TODAY}"
_BROKE = """
SELECT r.id, r.owner, r.group_name, r.limit_usd - r.spent - r.reserved AS free, n.need, n.dead
FROM runs r CROSS JOIN LATERAL (
  SELECT min(q.need) FILTER (WHERE q.state = 5) AS need, count(*) FILTER (WHERE q.state = 6) AS dead
  FROM queue q WHERE q.run_id = r.id
) n
WHERE r.status = 'paused' AND r.short_of_money AND r.id > $1 AND r.reason ->> 'code' = 'out_of_money'
ORDER BY r.id LIMIT $2
"""


def out_of_money(run: LockedRun) -> bool:
    """Whether a run waits for nothing but money."""
    return run.status == "paused" and (run.reason or {}).get("code") == "out_of_money"


async def go_on(run: LockedRun, wider: WiderLimits) -> None:
    """Dead letters get another chance, what was held is ready. Changes nothing in a run that runs with nothing held."""
    if not run.playing:
        run.status, run.reason = "running", None
        run.log("run_resumed")
        await people.anew(run.conn, run.id)
    dead = [row["id"] for row in await run.conn.fetch(_DEAD, run.id)]
    tries = (run.choices["max_failures"], run.choices["max_losses"])
    await store.redrive_rows(run.conn, dead, failures=tries[0], losses=tries[1])
    # What waits for money first: had it been released with the rest, it would only be refused again.
    await waiting.release_affordable(run, wider)
    run.stand()
    if run.playing:
        await store.release_held(run.conn, run.id)
    await ring_ready(run)


class Going:
    """Lets runs go on that were out of money and are not any more. One that has dead letters waits for a person."""

    def __init__(self, pool: Pool, events: RunEvents, wider: WiderLimits, play: Play) -> None:
        self._pool = pool
        self._events = events
        self._wider = wider
        self._play = play
        self._after = FIRST

    async def run_once(self) -> int:
        """Look at the next runs that are out of money; returns how many go on."""
        found = await self._affordable()
        going = 0
        for run_id in found:
            try:
                going += await self._resume(run_id)
            except Exception as error:  # one run must not keep the others from their money
                if from_exception(error).status == 503:
                    raise
                log.exception("run_cannot_go_on", run=str(run_id))
        return going

    async def _affordable(self) -> list[UUID]:
        """Runs whose smallest need fits now, as far as can be seen without locks, and together."""
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(_BROKE, self._after, LOOKED_AT)
            self._after = rows[-1]["id"] if len(rows) == LOOKED_AT else FIRST
            if not rows:
                return []
            today = await conn.fetchval(_TODAY)
            room = _Room(conn, today, self._wider)
            found = []
            for row in rows:
                need = row["need"] or Decimal(0)
                if row["dead"] or (row["free"] is not None and need > row["free"]):
                    continue
                if await room.takes(row["owner"], row["group_name"], need):
                    found.append(row["id"])
        return found

    async def _resume(self, run_id: UUID) -> bool:
        async def work(run: LockedRun) -> bool:
            dead = await run.conn.fetch(_DEAD, run.id)
            if not out_of_money(run) or dead or not await waiting.could_go_on(run, self._wider):
                return False
            await self._play(run)
            return run.running

        return bool(await self._events.change(run_id, work, if_free=True, to_play=True))


class _Room:
    """What the wider limits leave for the runs of one pass. Each of them is counted with what it needs first."""

    def __init__(self, conn: Connection, today: date, wider: WiderLimits) -> None:
        self._conn, self._today, self._wider = conn, today, wider
        self._free: dict[tuple[str, ...], Decimal | None] = {}

    async def takes(self, owner: str, group: str | None, need: Decimal) -> bool:
        wanted = keys(owner, group, self._today)
        names = [tuple(key[:3]) for key in wanted]
        if any(name not in self._free for name in names):
            purses = await read(self._conn, wanted, self._wider)
            for key, name in zip(wanted, names, strict=True):
                purse = purses[key]
                self._free.setdefault(name, None if purse.limit is None else purse.limit - purse.taken)
        left = {name: self._free[name] for name in names}
        if any(free is not None and need > free for free in left.values()):
            return False
        self._free |= {name: None if free is None else free - need for name, free in left.items()}
        return True
