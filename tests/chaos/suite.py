"""One whole run of the suite over a world: undisturbed runs, load under fire, the drain, the verdict."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.chaos.courier import Courier
from tests.chaos.load import Load, LoadPlan
from tests.chaos.memory import Memory
from tests.chaos.pausing import Operator
from tests.chaos.plays import Plays, PlaysPlan
from tests.chaos.progress import Progress
from tests.chaos.verdict import Verdict, files_of, judge
from tests.chaos.words import read_logs, read_words

PATIENCE = 180.0
"""Seconds after the last fault for everything to end; whatever has not is named by the verdict."""
Say = Callable[[str], None]


class Ground(Protocol):
    """What the suite needs of a world."""

    @property
    def url(self) -> str: ...

    @property
    def dsn(self) -> str: ...

    @property
    def folder(self) -> Path: ...


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What came out. `seconds`: of the preparation, the storm, and the drain."""

    verdict: Verdict
    seconds: dict[str, float]
    requests: dict[str, int]
    defects: list[str]


async def play(
    ground: Ground,
    storm: Callable[[], Awaitable[None]],
    *,
    light: LoadPlan,
    plays: PlaysPlan,
    say: Say,
    told: Callable[[], str] = str,
) -> Judged:
    """Play the suite: `storm` disturbs the world and returns when it is calm again. `told`: what a line of progress
    says of the faults."""
    memory, progress = Memory(), Progress(ground.dsn)
    async with Courier(ground.url, light.seed) as courier:
        load, stage = Load(light, courier, memory, progress), Plays(plays, courier, memory)
        began = time.monotonic()
        say(f"playing {2 * len(stage.pieces)} runs undisturbed")
        await stage.prepare()
        calm = time.monotonic()
        stop = asyncio.Event()
        operator = Operator(light.seed, courier, memory).run(stop)
        async with (
            _background(progress.watch(), load.operate(), operator, _lines(memory, progress, say, told)),
            _background(load.run(stop), stage.run(stop)) as working,
        ):
            await _unless_broken(asyncio.ensure_future(storm()), working)
            stop.set()
            stormed = time.monotonic()
            say("the storm is over; waiting for everything to end")
            await _drained(progress, working)
        drained = time.monotonic()
    say("looking at everything")
    words = itertools.chain(
        read_words(files_of(ground.folder, "words/*.txt")), read_logs(files_of(ground.folder, "logs/*.log"))
    )
    verdict = await judge(ground.dsn, memory, words)
    seconds = {"calm": calm - began, "storm": stormed - calm, "drain": drained - stormed}
    return Judged(verdict=verdict, seconds=seconds, requests=dict(courier.seen), defects=courier.defects)


@asynccontextmanager
async def _background(*work: Any) -> Any:
    """Tasks that do not outlive the block."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _unless_broken(storm: asyncio.Future[None], working: list[asyncio.Task[None]]) -> None:
    """The storm to its end; an error of the load ends it at once."""
    try:
        under_way: set[asyncio.Future[None]] = {storm, *working}
        while not storm.done():
            ended, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
    finally:
        storm.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({storm})


async def _drained(progress: Progress, working: list[asyncio.Task[None]]) -> None:
    """Until everything has ended, or patience has. An error of the load is raised."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*working)
            progress.over.clear()
            await progress.over.wait()


async def _lines(memory: Memory, progress: Progress, say: Say, told: Callable[[], str]) -> None:
    """A line every few seconds."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(5)
        sent, live = memory.acknowledged, progress.light
        over = sum(begun.run is not None for begun in memory.begun.values()) - progress.runs
        say(
            f"{time.monotonic() - began:6.0f} s  {max(0, sent - live)} of {sent} light events over, {over} runs over, "
            f"{progress.runs} under way{told()}"
        )
