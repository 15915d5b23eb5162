"""A loop that fails goes on, and does not stop the others."""

from __future__ import annotations

import asyncio

from pyscrai_api.loops.base import backoff, running
from pyscrai_api.metrics import Metrics


class Counting:
    """Fails the first `failing` times, then does a full batch once and nothing after that."""

    every = 0.001
    batch = 5

    def __init__(self, name: str, failing: int = 0) -> None:
        self.name, self.failing, self.runs = name, failing, 0
        self.enough = asyncio.Event()

    async def run_once(self) -> int:
        self.runs += 1
        if self.runs <= self.failing:
            raise RuntimeError("no database")
        if self.runs == self.failing + 3:
            self.enough.set()
        return self.batch if self.runs == self.failing + 1 else 0


async def test_a_failure_is_counted_and_the_loop_goes_on() -> None:
    metrics = Metrics()
    good, bad = Counting("good"), Counting("bad", failing=2)
    async with running([good, bad], metrics):
        async with asyncio.timeout(30):
            await good.enough.wait()
            await bad.enough.wait()
    page = (await metrics.page()).decode()
    assert 'pyscrai_loop_runs_total{loop="bad",result="failed"} 2.0' in page
    assert 'pyscrai_loop_items_total{loop="bad"} 5.0' in page


async def test_loops_end_with_the_block() -> None:
    loop = Counting("x")
    async with running([loop], Metrics()):
        async with asyncio.timeout(30):
            await loop.enough.wait()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "loop:x"] == []


def test_backoff_doubles_up_to_a_minute() -> None:
    assert [backoff(1, n) for n in (1, 2, 3)] == [2, 4, 8]
    assert backoff(1, 50) == 60
    assert backoff(300, 1) == 300
