"""The shape of a background loop, and what runs them.

A loop is one file with one class: how often, how much at a time, and `run_once()`. It never stops the others: what goes
wrong is logged and tried again, later and later, up to a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Protocol, runtime_checkable

import structlog

from pyscrai_api.metrics import Metrics

log = structlog.get_logger()
LONGEST_BACKOFF = 60.0


class Loop(Protocol):
    """`every`: seconds between runs. A run that did `batch` things or more is followed by the next at once."""

    name: str
    every: float
    batch: int

    async def run_once(self) -> int:
        """Do what is due, at most `batch` things; returns how many."""
        ...


@runtime_checkable
class Wakeable(Protocol):
    """A loop that is sometimes wanted sooner: setting `wake` ends its pause. The loop itself clears it."""

    @property
    def wake(self) -> asyncio.Event: ...


@asynccontextmanager
async def running(loops: Iterable[Loop], metrics: Metrics) -> AsyncIterator[None]:
    """Run the loops as tasks for as long as the block lasts; each is cancelled and awaited at its end."""
    tasks = [asyncio.create_task(run(loop, metrics), name=f"loop:{loop.name}") for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run(loop: Loop, metrics: Metrics) -> None:
    """Run one loop until cancelled."""
    failures = 0
    metrics.loop_seen(loop.name, loop.every)
    while True:
        try:
            done = await loop.run_once()
        except Exception:
            failures += 1
            metrics.loop_runs.labels(loop.name, "failed").inc()
            log.exception("loop_failed", loop=loop.name, failures=failures)
            await asyncio.sleep(backoff(loop.every, failures))
            continue
        failures = 0
        metrics.loop_seen(loop.name, loop.every)
        metrics.loop_runs.labels(loop.name, "done").inc()
        metrics.loop_items.labels(loop.name).inc(done)
        await pause(loop, 0 if done >= loop.batch else loop.every)


async def pause(loop: Loop, seconds: float) -> None:
    """So many seconds, or until the loop is woken."""
    if not seconds or not isinstance(loop, Wakeable):
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await loop.wake.wait()


def backoff(every: float, failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubling from the loop's own pace."""
    return float(min(every * 2 ** min(failures, 16), max(LONGEST_BACKOFF, every)))
