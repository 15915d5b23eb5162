"""Successes of events without a run, of all requests that come together: one statement, and one commit, for all.

While a statement is on its way, the next one gathers. What a statement does not do (it does only what is plain) is left
to the one who asked, and so is everything where it fails as a whole: whether it was committed then, nobody knows, and a
repeat is told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import structlog

from pyscrai_api.database import Pool
from pyscrai_api.lines import Lines
from pyscrai_api.queue.statements import sql

log = structlog.get_logger()

MOST = 500
"""Events in a statement."""
MOST_CHARACTERS = 4 * 1024 * 1024
"""Of results in a statement; one with a single event may have more."""
PATIENCE = 0.05
"""Seconds after which a statement that is still on its way no longer keeps the next one back."""
AT_ONCE = 4
"""Statements on their way, at most."""


class Success(NamedTuple):
    """`lease_no` None: the lease that the engine holds now. `text`: the result's canonical JSON."""

    event_id: int
    lease_no: int | None
    text: str


@dataclass(eq=False, slots=True)
class _Batch:
    """What one statement is to do. `done`: the events that it did, once it is known."""

    done: asyncio.Future[frozenset[int]]
    lines: dict[int, tuple[int | None, UUID, str]] = field(default_factory=dict)
    characters: int = 0
    late: bool = False

    def take(self, engine_id: UUID, items: Sequence[Success], first: int, mine: set[int]) -> int:
        """Take `items` from number `first` on, as long as there is room; returns the number of the next one, and adds
        to `mine` what was taken. What is here already is passed over."""
        lines = self.lines
        for number in range(first, len(items)):
            event_id, lease_no, text = items[number]
            if event_id in lines:
                continue
            if lines and (len(lines) >= MOST or self.characters + len(text) > MOST_CHARACTERS):
                return number
            lines[event_id] = lease_no, engine_id, text
            self.characters += len(text)
            mine.add(event_id)
        return len(items)


class Combiner:
    """Of one API process."""

    def __init__(self, lines: Lines | Pool) -> None:
        self._lines = lines
        self._loop = asyncio.get_running_loop()
        self._gathering: deque[_Batch] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._going = self._late = 0
        self._called = False

    async def finish(self, engine_id: UUID, items: Sequence[Success]) -> frozenset[int]:
        """Which of these events are done, and committed. The others are as they were, or nobody knows.

        Who goes away meanwhile leaves the work to be done. An event that another request of this moment names too is
        done for at most one of them.
        """
        batches: list[tuple[_Batch, set[int]]] = []
        taken = 0
        while taken < len(items):
            if not self._gathering or batches:  # what takes no more is sent as it is
                self._gathering.append(_Batch(self._loop.create_future()))
            batch, mine = self._gathering[-1], set[int]()
            batches.append((batch, mine))
            taken = batch.take(engine_id, items, taken, mine)
        if not self._called:
            self._called = True
            self._loop.call_soon(self._start)  # who comes at this very moment comes along
        done: frozenset[int] = frozenset()
        for batch, mine in batches:
            # Shielded: a request that is given up must not take the others' answer with it.
            done |= (await asyncio.shield(batch.done)) & mine
        return done

    async def close(self) -> None:
        """Wait for what is on its way. Call when no request is served any more."""
        while self._tasks or self._gathering:
            await asyncio.sleep(0)
            await asyncio.gather(*self._tasks)

    def _start(self) -> None:
        self._called = False
        while self._gathering and self._going <= self._late and self._going < AT_ONCE:
            self._going += 1
            task = self._loop.create_task(self._write(self._gathering.popleft()), name="finishes")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _write(self, batch: _Batch) -> None:
        timer = self._loop.call_later(PATIENCE, self._let_another, batch)
        try:
            batch.done.set_result(await self._done(batch))
        except Exception as error:
            log.warning("finishes_not_combined", events=len(batch.lines), error=f"{type(error).__name__}: {error}")
            batch.done.set_result(frozenset())
        finally:
            timer.cancel()
            batch.done.cancel()  # where nothing is known because the service is being torn down
            self._going -= 1
            self._late -= batch.late
            self._start()

    async def _done(self, batch: _Batch) -> frozenset[int]:
        ids = sorted(batch.lines)
        lines = [batch.lines[event_id] for event_id in ids]
        rows = await self._lines.fetch(
            sql("finish", "quick"), ids,
            [lease_no for lease_no, _, _ in lines], [engine for _, engine, _ in lines], [text for *_, text in lines],
        )  # fmt: skip
        return frozenset(ids if len(rows) == len(ids) else (row[0] for row in rows))

    def _let_another(self, batch: _Batch) -> None:
        batch.late = True
        self._late += 1
        self._start()
