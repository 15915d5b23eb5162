"""Producers: fill a queue as fast as it goes, or one job at a time with pauses, saying when each was sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from bench.queue.payload import payload, text
from bench.queue.work.session import Session, work

Send = Callable[[list[dict[str, Any]]], Awaitable[object]]
"""Enqueues jobs in one go, and returns when they are durable."""
SHORTEST, LONGEST = 0.010, 0.030


async def main(session: Session) -> None:
    """`system`, its address, and either `jobs` in batches of `batch` by so many `loops`, or `paced` single jobs."""
    options = session.options
    async with SYSTEMS[options["system"]](options) as sends:
        await session.go()
        if "paced" in options:
            await session.until_stopped(paced(session, sends[0], options["paced"], options["warm_up"]))
        await session.until_stopped(flood(session, sends, options["jobs"], options["batch"]))


async def flood(session: Session, sends: list[Send], jobs: int, batch: int) -> None:
    """All jobs, with one request of each sender under way."""
    firsts = iter(range(0, jobs, batch))

    async def sender(send: Send) -> None:
        for first in firsts:
            size = min(batch, jobs - first)
            await send([payload(first + i) for i in range(size)])
            session.did(size)

    await asyncio.gather(*(sender(send) for send in sends))
    await asyncio.Event().wait()


async def paced(session: Session, send: Send, number: int, warm_up: int) -> None:
    """Single jobs with a pause of 10 to 30 ms before each; those of the warm-up do not say when they were sent."""
    for i in range(warm_up + number):
        await asyncio.sleep(SHORTEST + (LONGEST - SHORTEST) * (i * 7 % 20) / 19)
        await send([payload(i, time.monotonic_ns() if i >= warm_up else 0)])
        session.did(1)
    await asyncio.Event().wait()


@asynccontextmanager
async def ours(options: dict[str, Any]) -> AsyncIterator[list[Send]]:
    """POST /events; a single one as a single one."""
    from pyscrai.client.http import Http

    def event(data: dict[str, Any]) -> dict[str, Any]:
        return {"event_type": "step", "engine_type": "bench", "data": data}

    async with Http(options["url"]) as http:

        async def send(jobs: list[dict[str, Any]]) -> None:
            events = [event(data) for data in jobs]
            await http.fetch("POST", "/events", json=events if len(events) > 1 else events[0])

        yield [send] * options["loops"]


@asynccontextmanager
async def pgqueuer(options: dict[str, Any]) -> AsyncIterator[list[Send]]:
    """Its `enqueue`, with a connection per sender."""
    import asyncpg
    from pgqueuer.queries import Queries

    def sender(queries: Queries) -> Send:
        async def send(jobs: list[dict[str, Any]]) -> None:
            texts: list[bytes | None] = [text(data["i"], data["t"]).encode() for data in jobs]
            await queries.enqueue(["bench"] * len(jobs), texts, [0] * len(jobs))

        return send

    connections = [await asyncpg.connect(options["dsn"]) for _ in range(options["loops"])]
    yield [sender(Queries.from_asyncpg_connection(connection)) for connection in connections]


@asynccontextmanager
async def procrastinate(options: dict[str, Any]) -> AsyncIterator[list[Send]]:
    """Its `batch_defer_async`, with a pool of as many connections as there are senders."""
    import procrastinate as library

    pool = {"min_size": options["loops"], "max_size": options["loops"]}
    app = library.App(connector=library.PsycopgConnector(conninfo=options["dsn"], **pool))

    @app.task(name="bench", queue="bench")
    async def task(**data: Any) -> None:
        """Its workers are elsewhere."""

    async def send(jobs: list[dict[str, Any]]) -> None:
        if len(jobs) == 1:
            await task.defer_async(**jobs[0])
        else:
            await task.batch_defer_async(*jobs)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.open_async())
        yield [send] * options["loops"]


SYSTEMS = {"ours": ours, "pgqueuer": pgqueuer, "procrastinate": procrastinate}


if __name__ == "__main__":
    work(main)
