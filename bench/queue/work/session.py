"""The worker's side of a measurement: say that it is ready, wait for the word, count, report."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

import uvloop

from bench.queue.progress import Progress
from pyscrai.machine.ending import collect_rarely


class Session:
    """What a worker does with its parent. `options` are as the parent gave them."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.done = 0
        self.latencies: list[float] = []
        self.stopped = asyncio.Event()
        self._progress = Progress(Path(options["progress"]))
        self._slot = int(options["slot"])
        self._began = 0.0

    def did(self, number: int) -> None:
        """So many more jobs are done."""
        self.done += number
        self._progress.set(self._slot, self.done)

    def started(self, data: dict[str, Any]) -> None:
        """A handler got this job: how long after it was enqueued, where the job says when that was."""
        if sent := data.get("t"):
            self.latencies.append((time.monotonic_ns() - sent) / 1e6)

    async def go(self) -> None:
        """Say that everything is open, and return when the parent says so."""
        loop = asyncio.get_running_loop()
        words = asyncio.Queue[str]()
        loop.add_reader(sys.stdin.fileno(), lambda: words.put_nowait(os.read(0, 100).decode()))
        print(json.dumps({"ready": True}), flush=True)
        await words.get()
        loop.remove_reader(sys.stdin.fileno())
        loop.add_reader(sys.stdin.fileno(), self._told)
        self._began = _used()

    async def until_stopped(self, *running: Coroutine[Any, Any, Any]) -> NoReturn:
        """Run these until the parent says stop; then report and be gone, without an orderly end: nobody waits for it.

        Raises what one of them raises, or RuntimeError where one ends by itself.
        """
        tasks = [asyncio.create_task(each) for each in running]
        stopped = asyncio.create_task(self.stopped.wait())
        ended, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in ended - {stopped}:
            task.result()
            raise RuntimeError("it ended by itself")
        self._report()
        os._exit(0)

    def _told(self) -> None:
        os.read(0, 100)
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self.stopped.set()

    def _report(self) -> None:
        print(json.dumps({"done": self.done, "cpu": _used() - self._began, "latencies": self.latencies}), flush=True)


def work(main: Callable[[Session], Coroutine[Any, Any, None]]) -> None:
    """Run a worker's main with its session. Whosever worker it is looks for garbage as rarely as our engines do."""
    collect_rarely()
    uvloop.run(main(Session(json.loads(sys.argv[1]))))


def _used() -> float:
    """Seconds of CPU that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
