"""One reader of new log entries per process, which hands them to everyone who follows, and what the run has cost.

A run never waits for a reader: each has a bounded queue, and one that falls behind is cut off; it comes back with
the last number that it has seen and misses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog

from pyscrai.contract.runs import Delivered
from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import from_exception
from pyscrai_api.queue.notify import Bell
from pyscrai_api.runs.entries import read_log
from pyscrai_api.stream.costs import CostAt, Told

log = structlog.get_logger(__name__)

BACKLOG = 1000
"""Entries that a reader may be behind."""
PAGE = 500
POLL_SECONDS = 1.0
_ENDS = "SELECT id, last_seq, spent, reserved, limit_usd, model_calls FROM runs WHERE id = ANY($1)"
_END = "SELECT last_seq, spent FROM runs WHERE id = $1"


@dataclass(eq=False)
class Follower:
    """One reader of one run. `dropped` is called when it is cut off."""

    run_id: UUID
    dropped: Callable[[], None]
    queue: asyncio.Queue[Delivered | CostAt] = field(default_factory=lambda: asyncio.Queue(BACKLOG))


class Hub:
    """Followers by run. `run()` is the one reader."""

    def __init__(self, pool: Pool, bell: Bell) -> None:
        self._pool = pool
        self._bell = bell
        self._followers: dict[UUID, set[Follower]] = {}
        self._read: dict[UUID, int] = {}
        self._told: dict[UUID, Told] = {}
        self._news = asyncio.Event()

    @property
    def followed(self) -> int:
        """How many runs somebody follows here."""
        return len(self._followers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read for as long as the block lasts."""
        task = asyncio.create_task(self.run(), name="hub")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def run(self) -> None:
        """Read what is new whenever a run rings, and once a second in case a ring was lost."""
        self._bell.listen_runs(self._rung)
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), POLL_SECONDS)
            self._news.clear()
            try:
                await self._deliver_all()
            except Exception as error:
                if from_exception(error).status != 503:
                    log.exception("stream_reader_failed")
                await asyncio.sleep(POLL_SECONDS)  # the database is away; followers wait, nothing is lost

    def _rung(self, run_id: UUID) -> None:
        if run_id in self._followers:
            self._news.set()

    @asynccontextmanager
    async def follow(self, run_id: UUID, dropped: Callable[[], None]) -> AsyncIterator[Follower]:
        """Receive entries that are written from now on."""
        follower = Follower(run_id, dropped)
        if run_id not in self._followers:
            async with self._pool.acquire() as conn:
                row = await conn.fetchrow(_END, run_id)
            # Somebody may have come first while this one asked; what they have not been given yet must not be skipped.
            self._read.setdefault(run_id, row["last_seq"] if row else 0)
            self._told.setdefault(run_id, Told(row["spent"] if row else Decimal(0)))
        self._followers.setdefault(run_id, set()).add(follower)
        try:
            yield follower
        finally:
            self._leave(follower)

    def _leave(self, follower: Follower) -> None:
        there = self._followers.get(follower.run_id, set())
        there.discard(follower)
        if not there:
            self._followers.pop(follower.run_id, None)
            self._read.pop(follower.run_id, None)
            self._told.pop(follower.run_id, None)

    async def _deliver_all(self) -> None:
        if not self._followers:
            return
        async with self._pool.acquire() as conn:
            for row in await conn.fetch(_ENDS, list(self._followers)):
                await self._deliver(conn, row["id"], row["last_seq"])
                self._tell(row)

    async def _deliver(self, conn: Connection, run_id: UUID, end: int) -> None:
        while (at := self._read.get(run_id)) is not None and at < end:
            entries = await read_log(conn, run_id, at, PAGE)
            if not entries or self._read.get(run_id) != at:
                return
            self._read[run_id] = entries[-1].seq
            self._told[run_id].by_entry(entries[-1].cost)
            self._hand_out(run_id, entries)

    def _tell(self, row: Mapping[str, Any]) -> None:
        """Costs that no entry has told. One who is behind with reading does without: more will come."""
        told = self._told.get(row["id"])
        news = None if told is None else told.news(row, asyncio.get_running_loop().time())
        if news is None:
            return
        for follower in self._followers.get(row["id"], ()):
            if not follower.queue.full():
                follower.queue.put_nowait(news)

    def _hand_out(self, run_id: UUID, entries: list[Delivered]) -> None:
        for follower in list(self._followers.get(run_id, ())):
            try:
                for entry in entries:
                    follower.queue.put_nowait(entry)
            except asyncio.QueueFull:
                log.info("slow_reader_dropped", run=str(run_id))
                self._leave(follower)
                follower.dropped()
