"""One measurement: so many jobs are there, workers are let loose, and what it took until the last is over durably."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench.queue.api import Api, api
from bench.queue.postgres import Postgres, wal
from bench.queue.processes import Workers
from bench.queue.systems.base import System

LOOK = 0.005
LONGEST = 60.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What `done` jobs took in `seconds`; CPU in µs and WAL in bytes, per job."""

    done: int
    seconds: float
    client: float
    server: float
    postgres: float
    wal: float

    @property
    def rate(self) -> float:
        """Jobs per second."""
        return self.done / self.seconds

    @property
    def cpu(self) -> float:
        """Client, server and PostgreSQL together."""
        return self.client + self.server + self.postgres


@dataclass(frozen=True, kw_only=True)
class Meter:
    """What has been used up to now: seconds of CPU, bytes of WAL."""

    at: float
    server: float
    postgres: float
    wal: int

    @classmethod
    async def read(cls, postgres: Postgres, connection: asyncpg.Connection, running: Api | None) -> Meter:
        return cls(
            at=time.perf_counter(),
            server=running.cpu() if running else 0.0,
            postgres=postgres.cpu(),
            wal=await wal(connection),
        )

    def cost(self, after: Meter, *, client: float, done: int) -> Cost:
        """What lies between this and a later reading, per job."""
        return Cost(
            done=done,
            seconds=after.at - self.at,
            client=client / done * 1e6,
            server=(after.server - self.server) / done * 1e6,
            postgres=(after.postgres - self.postgres) / done * 1e6,
            wal=(after.wal - self.wal) / done,
        )


Watch = Callable[[Api], AbstractContextManager[None]]


def _nobody(_running: Api) -> AbstractContextManager[None]:
    return nullcontext()


class Unfinished(Exception):
    """The workers did not get through in time."""


async def drain(
    postgres: Postgres,
    connection: asyncpg.Connection,
    system: System,
    command: Sequence[str],
    options: Sequence[Mapping[str, Any]],
    *,
    dsn: str,
    jobs: int,
    longest: float = LONGEST,
    watch: Watch = _nobody,
) -> Cost:
    """Work off the `jobs` jobs that are in the database, with one worker process per entry of `options`.

    After `longest` seconds what was done until then counts. `watch`: who looks at the API meanwhile. Raises Unfinished
    where next to nothing was done.
    """
    with ExitStack() as stack:
        running = stack.enter_context(api(dsn)) if system.serves else None
        address = {"url": running.url} if running else {"dsn": dsn}
        workers = stack.enter_context(Workers(command, [{**each, **address} for each in options]))
        workers.wait_ready()
        before = await Meter.read(postgres, connection, running)
        if running is not None:
            stack.enter_context(watch(running))
        workers.go()
        await _until_over(workers, system, connection, jobs, longest)
        after = await Meter.read(postgres, connection, running)
        done = min(workers.progress.total(), jobs)
        reports = workers.stop()
    if done < jobs / 100:
        raise Unfinished(f"{done} of {jobs} jobs in {longest:.0f} s")
    return before.cost(after, client=sum(report["cpu"] for report in reports), done=done)


async def until_done(workers: Workers, jobs: int, longest: float) -> None:
    """Wait until so many are done, `longest` seconds at most. Raises WorkerBroke."""
    deadline = time.perf_counter() + longest
    while workers.progress.total() < jobs and time.perf_counter() < deadline:
        await asyncio.sleep(LOOK)
        workers.check()


async def _until_over(
    workers: Workers, system: System, connection: asyncpg.Connection, jobs: int, longest: float
) -> None:
    deadline = time.perf_counter() + longest
    await until_done(workers, jobs, longest)
    while system.counts_late and await system.unfinished(connection) and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(LOOK)
