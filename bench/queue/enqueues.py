"""Section `enqueue`: how fast jobs come in, in large batches, small ones and one by one, each durable when answered."""

from __future__ import annotations

from contextlib import ExitStack

import asyncpg

from bench.queue.api import api
from bench.queue.bench import Bench, Measure
from bench.queue.drain import LONGEST, Meter, until_done
from bench.queue.ground import Ground, record
from bench.queue.processes import Workers, python
from bench.queue.results import Record
from bench.queue.systems.base import System, emptied, settled
from bench.queue.systems.ours import Ours
from bench.queue.systems.pgqueuer import Pgqueuer
from bench.queue.systems.procrastinate import Procrastinate

SECTION = "enqueue"
SHAPES = ((1000, 2, 40_000), (100, 4, 20_000), (1, 16, 4_000))
"""Jobs per request, requests under way at once, and jobs of a full measurement."""
SLOWER = {"procrastinate": 0.3}
"""Whose measurement takes a smaller share of the jobs, because it takes as long."""


async def measure(bench: Bench) -> None:
    """Every producer fills its queue; nobody works on it."""
    grounds: dict[str, Ground] = {}
    cases: dict[str, Measure] = {}
    systems: tuple[System, ...] = (Ours(), Pgqueuer(), Procrastinate())
    for batch, loops, jobs in SHAPES:
        for system in systems:
            ground = grounds.setdefault(system.name, Ground(bench.postgres, system, f"enqueue {system.name}"))
            share = bench.sizes.jobs(int(jobs * SLOWER.get(system.name, 1)))
            cases[case(system.name, batch, loops)] = filled(bench, ground, batch, loops, share)
    await bench.rounds(SECTION, cases)
    for ground in grounds.values():
        await ground.drop()


def case(system: str, batch: int, loops: int) -> str:
    """Its name in tables."""
    return f"{system}, {f'{batch} at once' if batch > 1 else 'singly'}, {loops} requests under way"


def filled(bench: Bench, ground: Ground, batch: int, loops: int, jobs: int) -> Measure:
    """The measurement of one producer."""

    async def measured() -> Record:
        dsn = await ground.dsn()
        connection = await asyncpg.connect(dsn)
        try:
            await emptied(ground.system, connection)
            await settled(ground.system, connection)
            with ExitStack() as stack:
                running = stack.enter_context(api(dsn)) if ground.system.serves else None
                options = {"system": ground.system.name, "batch": batch, "loops": loops, "jobs": jobs}
                options |= {"url": running.url} if running else {"dsn": dsn}
                workers = stack.enter_context(Workers(python("bench.queue.work.produce"), [options]))
                workers.wait_ready()
                before = await Meter.read(bench.postgres, connection, running)
                workers.go()
                await until_done(workers, jobs, LONGEST)
                after = await Meter.read(bench.postgres, connection, running)
                done = workers.progress.total()
                client = sum(report["cpu"] for report in workers.stop())
            return record(before.cost(after, client=client, done=done))
        finally:
            await connection.close()

    return measured
