"""The bell: wakes whoever waits for a lane or a run, in this process at once and in others by NOTIFY.

Call it after the commit. NOTIFY goes out on a connection of its own, never in the transaction that did the work, at
most once per lane and run in 20 ms. It is never needed: where it does not arrive, waiters look once a second.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from pyscrai_api.queue.store import Place

log = structlog.get_logger()

LANES, RUNS, PAUSES = "pyscrai_lane", "pyscrai_run", "pyscrai_pauses"
GAP = 0.02
COST_GAP = 0.25
"""Seconds between two rings of a run for nothing but its costs."""
_REMEMBERED = 1000
"""Runs of which it is known when their costs rang."""
RECONNECT = 1.0
CONNECT_SECONDS = 10.0
_NOTIFY = "SELECT pg_notify(channel, line) FROM unnest($1::text[], $2::text[]) AS rung (channel, line)"

OnLane = Callable[[str, Place | None], None]
"""Called with a lane and, where known, the place of a row that became ready."""
OnRun = Callable[[UUID], None]
OnPauses = Callable[[], None]


class Bell:
    """One per process. `dsn` is a direct connection: LISTEN does not work through a pooler in transaction mode."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._name = secrets.token_hex(4)
        self._on_lane: list[OnLane] = []
        self._on_run: list[OnRun] = []
        self._on_pauses: list[OnPauses] = []
        self._lanes: dict[str, Place | None] = {}
        self._runs: set[UUID] = set()
        self._pauses = False
        self._costs: dict[UUID, float] = {}
        self._wake = asyncio.Event()
        self.connected = asyncio.Event()

    def ring_lane(self, lane: str, place: Place | None = None) -> None:
        """Rows of a lane became ready; `place` is the first of them in the lane's order, where known."""
        self.ring_here(lane, place)
        if self.connected.is_set():
            known = self._lanes.get(lane)
            self._lanes[lane] = min(known, place) if known and place else place or known
            self._wake.set()

    def ring_here(self, lane: str, place: Place | None = None) -> None:
        """The same in this process alone: the others know by themselves."""
        for callback in tuple(self._on_lane):
            callback(lane, place)

    def ring_pauses(self) -> None:
        """Something was paused, or goes on. This process knows already."""
        if self.connected.is_set():
            self._pauses = True
            self._wake.set()

    def ring_run(self, run_id: UUID) -> None:
        """The log of a run grew, or its state changed."""
        for callback in tuple(self._on_run):
            callback(run_id)
        if self.connected.is_set():
            self._runs.add(run_id)
            self._wake.set()

    def ring_cost(self, run_id: UUID) -> None:
        """A run has paid for calls. Rings it, unless it has just rung for that: who waits looks once a second."""
        now = asyncio.get_running_loop().time()
        if now - self._costs.get(run_id, -COST_GAP) < COST_GAP:
            return
        if len(self._costs) >= _REMEMBERED:
            self._costs = {run: at for run, at in self._costs.items() if now - at < COST_GAP}
        self._costs[run_id] = now
        self.ring_run(run_id)

    def listen_lanes(self, callback: OnLane) -> Callable[[], None]:
        """Be called at each ring of a lane, from any process. Returns what ends it."""
        self._on_lane.append(callback)
        return lambda: self._on_lane.remove(callback)

    def listen_pauses(self, callback: OnPauses) -> Callable[[], None]:
        """Be called when another process paused something, or let it go on. Returns what ends it."""
        self._on_pauses.append(callback)
        return lambda: self._on_pauses.remove(callback)

    def listen_runs(self, callback: OnRun) -> Callable[[], None]:
        """Be called at each ring of a run, from any process. Returns what ends it."""
        self._on_run.append(callback)
        return lambda: self._on_run.remove(callback)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the connection for as long as the block lasts."""
        task = asyncio.create_task(self._stay_connected(), name="bell")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            try:
                connection = await asyncpg.connect(self._dsn, timeout=CONNECT_SECONDS, statement_cache_size=0)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                failures += 1
                if failures == 1:
                    log.warning("bell_not_connected", error=str(error) or type(error).__name__)
                await asyncio.sleep(RECONNECT)
                continue
            failures = 0
            try:
                await self._serve(connection)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("bell_lost", error=str(error) or type(error).__name__)
            finally:
                self.connected.clear()
                connection.terminate()
            await asyncio.sleep(RECONNECT)

    async def _serve(self, connection: asyncpg.Connection) -> None:
        """Listen, and send what was rung, until the connection is lost."""
        connection.add_termination_listener(lambda _: self._wake.set())
        await connection.add_listener(LANES, self._heard_lane)
        await connection.add_listener(RUNS, self._heard_run)
        await connection.add_listener(PAUSES, self._heard_pauses)
        self._lanes.clear()
        self._runs.clear()
        self.connected.set()
        while not connection.is_closed():
            await self._wake.wait()
            self._wake.clear()
            lines = self._take()
            if lines and not connection.is_closed():
                await connection.execute(_NOTIFY, [channel for channel, _ in lines], [line for _, line in lines])
                await asyncio.sleep(GAP)

    def _take(self) -> list[tuple[str, str]]:
        lines = [(LANES, json.dumps([self._name, lane, place])) for lane, place in self._lanes.items()]
        lines += [(RUNS, json.dumps([self._name, run_id.hex])) for run_id in self._runs]
        lines += [(PAUSES, json.dumps([self._name]))] if self._pauses else []
        self._lanes.clear()
        self._runs.clear()
        self._pauses = False
        return lines

    def _heard_lane(self, _connection: Any, _pid: int, _channel: str, line: object) -> None:
        sender, lane, place = json.loads(str(line))
        if sender != self._name:
            for callback in tuple(self._on_lane):
                callback(lane, Place(*place) if place else None)

    def _heard_pauses(self, _connection: Any, _pid: int, _channel: str, line: object) -> None:
        if json.loads(str(line)) != [self._name]:
            for callback in tuple(self._on_pauses):
                callback()

    def _heard_run(self, _connection: Any, _pid: int, _channel: str, line: object) -> None:
        sender, run_id = json.loads(str(line))
        if sender != self._name:
            for callback in tuple(self._on_run):
                callback(UUID(run_id))
