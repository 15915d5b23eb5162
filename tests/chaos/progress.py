"""What the database says meanwhile, asked over a connection of its own that outlives every kill."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import asyncpg
from tests.chaos.work import LANE

EVERY = 0.5
"""Seconds between looks."""
PATIENCE = 5.0
"""Seconds for one look, so that a frozen server does not blind it for ever."""
_LOOK = """
SELECT (SELECT count(*) FROM queue WHERE lane = $1 AND state IN (2, 3)) AS urgent,
  (SELECT count(*) FROM queue WHERE lane = $1) AS light,
  (SELECT count(*) FROM queue WHERE lane <> $1) AS of_runs,
  (SELECT count(*) FROM runs WHERE status NOT IN ('completed', 'failed', 'cancelled')) AS runs,
  (SELECT count(*) FROM calls WHERE state = 1) AS calls
"""


class Progress:
    """The latest look. `urgent`: light events that could be worked on now; `light`, `of_runs`: all that are live;
    `runs`: that are not over; `calls`: that are reserved. `looks`: how often it was seen. `over`: set by a look that
    saw nothing live any more. `blind`: why it could not look, how often."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.urgent = self.light = self.of_runs = self.runs = self.calls = 0
        self.looks = 0
        self.over = asyncio.Event()
        self.blind: Counter[str] = Counter()

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self._look_while_it_lives()
            except Exception as error:
                # A client of a server that is being killed sees more kinds of errors than its library promises.
                self.blind[type(error).__name__] += 1
            await asyncio.sleep(EVERY)

    async def _look_while_it_lives(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=PATIENCE, command_timeout=PATIENCE)
        try:
            while True:
                self._take(await connection.fetchrow(_LOOK, LANE))
                await asyncio.sleep(EVERY)
        finally:
            connection.terminate()

    def _take(self, row: Any) -> None:
        self.urgent, self.light, self.of_runs = row["urgent"], row["light"], row["of_runs"]
        self.runs, self.calls = row["runs"], row["calls"]
        self.looks += 1
        if self.light or self.of_runs or self.runs or self.calls:
            self.over.clear()
        else:
            self.over.set()
