"""Section `snapshot`: somebody holds an old snapshot open, so that nothing that was finished can be tidied away."""

from __future__ import annotations

import asyncio
import time

import asyncpg

from bench.queue import consumers
from bench.queue.bench import Bench, Measure
from bench.queue.consumers import Consumer
from bench.queue.drain import Cost
from bench.queue.ground import Ground, record
from bench.queue.histories import QUICKLY
from bench.queue.results import Record

SECTION = "snapshot"
JOBS = 25_000
LONGEST = 45.0
ROUNDS = 2
PHASES = ("clean", "held", "released")


def measured_consumers() -> tuple[Consumer, ...]:
    """Whom this section looks at. So many jobs under the snapshot would take procrastinate a minute each time."""
    return consumers.ours(10, 1, JOBS), consumers.statements(10, 8, JOBS), consumers.pgqueuer(10, 1, JOBS)


async def measure(bench: Bench) -> None:
    """Each system: clean, then after many finishes under a held snapshot, then after its release."""
    for number in range(1 if bench.sizes.quick else ROUNDS):
        # The others show what happens to such a queue; one round of a minute is enough for that.
        for consumer in measured_consumers()[: None if number == 0 else 1]:
            if bench.sizes.quick and not bench.only and consumer.system.name not in QUICKLY:
                continue
            if any(bench.wants(SECTION, case(consumer, phase)) for phase in PHASES):
                await phases(bench, consumer, number)


def case(consumer: Consumer, phase: str) -> str:
    """Its name in tables."""
    return f"{consumer.system.name}, {consumer.how}, {phase}"


async def phases(bench: Bench, consumer: Consumer, number: int) -> None:
    """One round of one system. Nothing is vacuumed by us after the snapshot is there."""
    ground = Ground(bench.postgres, consumer.system, f"snapshot {consumer.system.name}")
    jobs, before = bench.sizes.jobs(JOBS), bench.sizes.under_snapshot

    async def drained(jobs: int, *, tidy: bool = False) -> Cost:
        return await ground.drained(consumer.command, consumer.options, jobs, tidy=tidy, longest=LONGEST)

    async def once(phase: str, measure: Measure) -> None:
        await bench.once(SECTION, case(consumer, phase), number, measure)

    async def clean() -> Record:
        return record(await drained(jobs, tidy=True))

    async def held() -> Record:
        await drained(before)
        return record(await drained(jobs))

    async def released() -> Record:
        await asyncio.sleep(max(0.0, bench.sizes.after - (time.monotonic() - let_go)))
        return record(await drained(jobs))

    try:
        await once("clean", clean)
        holder = await asyncpg.connect(await ground.dsn())
        try:
            await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await holder.execute("SELECT pg_current_xact_id()")
            await once("held", held)
        finally:
            await holder.close()
        let_go = time.monotonic()
        await once("released", released)
    finally:
        await ground.drop()
