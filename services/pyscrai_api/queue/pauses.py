"""What operators have stopped: event types, lanes, engines.

Claims ask `excluded`, a look-up in memory. What this process knows is at most a second old: it looks once a second, at
once when the bell says that another process changed something, and after each change of its own. Events of a paused
type that stand ready are held, so that claims need not walk over them, and let go when the pause is over
(`move`, called by the loop `pauses`). The decision is taken from the table, under the locks, never from memory: a
process that has not heard yet can hold nothing for a pause that is over but for a moment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import structlog

from pyscrai.contract.operating import NewPause, Pause
from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import Conflict
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.states import Live
from pyscrai_api.queue.store import Place, Woken, first_of_lanes

log = structlog.get_logger()

LOOK_AGAIN = 1.0
"""Seconds after which each process looks by itself."""
KNOWN = 2.0
"""Seconds after which every process that can claim at all knows of a pause."""
MOVED = 1000
"""Events that one pass holds, and lets go, at most."""
NOTHING: tuple[str, ...] = ()

OnEngine = Callable[[UUID], None]


class Pauses:
    """Of one API process (`ports.Exclusions`). `wake`: set whenever something changed; the loop clears it."""

    def __init__(self, pool: Pool, bell: Bell, on_engine: OnEngine | None = None) -> None:
        self._pool = pool
        self._bell = bell
        self._on_engine = on_engine
        self._rows: frozenset[tuple[str, str]] = frozenset()
        self._lanes: frozenset[str] = frozenset()
        self._types: dict[str, tuple[str, ...]] = {}
        self._engines: set[UUID] = set()
        self._waiting: dict[UUID, set[asyncio.Future[None]]] = {}
        self._look = asyncio.Event()
        self._read_at = -KNOWN
        self._reading = asyncio.Lock()
        self.wake = asyncio.Event()

    def excluded(self, lane: str) -> Sequence[str] | None:
        """The event types of a lane that are not to be claimed now, mostly none; None: nothing of the lane is."""
        if not self._rows:
            return NOTHING
        if lane in self._lanes or "" in self._lanes:
            return None
        return self._types.get(lane) or self._types.get("", NOTHING)

    async def fresh(self) -> None:
        """Look again first, where what is known is old: after a process was stopped and let go on, its first claim must
        not come before its first look."""
        if time.monotonic() - self._read_at >= KNOWN:
            await self.refresh()

    @property
    def count(self) -> int:
        """How many pauses of lanes and types there are."""
        return len(self._rows)

    def pauses_engine(self, engine_id: UUID) -> bool:
        """Whether an engine gets nothing now."""
        return engine_id in self._engines

    # ── people ──

    async def all(self) -> list[Pause]:
        """Every pause there is."""
        return [_shown(row) for row in await self._pool.fetch(sql("operating", "pauses"))]

    async def put(self, wanted: NewPause, by: str) -> Pause:
        """Pause; of a pause that there is the reason changes. Raises Conflict where it is over again already."""
        await self._pool.execute(sql("operating", "pause"), wanted.lane, wanted.event_type, wanted.reason, by)
        await self.changed()
        log.info("paused", lane=wanted.lane, event_type=wanted.event_type, by=by, reason=wanted.reason)
        for one in await self.all():
            if (one.lane, one.event_type) == (wanted.lane, wanted.event_type):
                return one
        raise Conflict("somebody has ended this pause at the same moment")

    async def names(self) -> list[Mapping[str, Any]]:
        """Event types and lanes that catalog and engines know (`event_type`, `lane`; either may be None)."""
        return [dict(row) for row in await self._pool.fetch(sql("operating", "names"))]

    async def end(self, lane: str, event_type: str, by: str) -> bool:
        """End a pause; False where there is none."""
        ended = await self._pool.fetchval(sql("operating", "resume"), lane, event_type)
        await self.changed()
        if ended is not None:
            log.info("resumed", lane=lane, event_type=event_type, by=by)
        return ended is not None

    async def changed(self) -> None:
        """Something was paused or let go on by this process: know it now, and tell the others."""
        await self.refresh()
        self._bell.ring_pauses()

    # ── knowing ──

    async def refresh(self) -> None:
        """Read what is paused."""
        async with self._reading:  # one after the other: an older answer never hides a newer one
            asked_at = time.monotonic()
            self._take(await self._pool.fetch(sql("operating", "stopped")))
            self._read_at = asked_at

    def _take(self, found: Sequence[Any]) -> None:
        rows = frozenset((row["lane"], row["event_type"]) for row in found if row["engine_id"] is None)
        if rows != self._rows:
            self._know(rows)
        engines = {row["engine_id"] for row in found if row["engine_id"] is not None}
        fresh, self._engines = engines - self._engines, engines
        for engine_id in fresh:
            if self._on_engine is not None:
                self._on_engine(engine_id)
        for engine_id in self._waiting.keys() - engines:
            self._resumed(engine_id)

    def _know(self, rows: frozenset[tuple[str, str]]) -> None:
        everywhere = {kind for lane, kind in rows if not lane and kind}
        lanes = {lane for lane, kind in rows if kind}
        self._lanes = frozenset(lane for lane, kind in rows if not kind)
        self._types = {lane: tuple(sorted(everywhere | {k for at, k in rows if at == lane and k})) for lane in lanes}
        before, self._rows = self._rows, rows
        self.wake.set()
        for lane in {lane for lane, kind in before - rows if lane and not kind}:
            self._bell.ring_here(lane)  # nothing was held: all of it stands ready

    async def until_resumed(self, engine_id: UUID, seconds: float, gone: asyncio.Future[None]) -> None:
        """Wait while an engine is paused, at most so long, and not for a client that has gone."""
        self._engines.add(engine_id)  # the caller read it a moment ago; the next look says otherwise where it is over
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(engine_id, set())
        waiting.add(future)
        try:
            await asyncio.wait((future, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.discard(future)
            if not waiting and self._waiting.get(engine_id) is waiting:
                del self._waiting[engine_id]

    def stop(self) -> None:
        """Let everybody go who waits for an engine: the service stops."""
        for engine_id in tuple(self._waiting):
            self._resumed(engine_id)

    def _resumed(self, engine_id: UUID) -> None:
        for future in self._waiting.pop(engine_id, ()):
            if not future.done():
                future.set_result(None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Know what is paused, for as long as the block lasts."""
        await self.refresh()
        silence = self._bell.listen_pauses(self._look.set)
        task = asyncio.create_task(self._keep_looking(), name="pauses")
        try:
            yield
        finally:
            silence()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep_looking(self) -> None:
        failures = 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):
                    await self._look.wait()
            self._look.clear()
            try:
                await self.refresh()
                failures = 0
            except Exception as error:  # what was known stays known; claims need the same database
                failures += 1
                if failures == 1:
                    log.warning("pauses_not_read", error=str(error) or type(error).__name__)

    # ── moving ──

    async def move(self) -> int:
        """Hold what is paused and stands ready, let go what is held for a pause that is over; returns the larger."""
        self.wake.clear()
        async with self._pool.acquire() as conn:
            stray = await conn.fetch(sql("operating", "paused_ready"), MOVED) if self._rows else []
            over = await conn.fetch(sql("operating", "let_go"), MOVED)
            held = await _together(conn, "hold_paused", stray[:MOVED]) if stray else []
            moved = await _together(conn, "release_paused", over) if over else []
        ready = [row for row in moved if row["state"] == Live.READY]
        woken = [Woken(row["id"], row["lane"], Place(row["rank"], row["pass"], row["id"])) for row in ready]
        for lane, place in first_of_lanes(woken).items():
            self._bell.ring_lane(lane, place)
        return max(len(held), len(moved))


async def _together(conn: Connection, statement: str, rows: Sequence[Any]) -> list[Any]:
    """Move rows, and lock their runs before. Runs and rows that somebody holds are left for the next pass: nothing is
    waited for, so that many runs may be locked at once."""
    ids = [row["id"] for row in rows]
    runs = sorted({row["run_id"] for row in rows if row["run_id"] is not None})
    async with conn.transaction():
        locked = [row["id"] for row in await conn.fetch(sql("operating", "lock_runs"), runs)] if runs else []
        moved: list[Any] = await conn.fetch(sql("operating", statement), ids, locked)
    return moved


def _shown(row: Any) -> Pause:
    return Pause(
        lane=row["lane"],
        event_type=row["event_type"],
        reason=row["reason"],
        by=row["by"],
        since=row["since"].isoformat(),
        leased=row["leased"],
        held=row["held"],
        drained=not row["leased"] and row["seconds"] >= KNOWN,
    )
