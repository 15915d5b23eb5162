"""Section `latency`: from enqueuing one job to its handler's first line, with workers that have nothing to do."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import asyncpg

from bench.queue.api import api
from bench.queue.bench import Bench, Measure
from bench.queue.consumers import Consumer, pgqueuer, procrastinate, runtime
from bench.queue.drain import until_done
from bench.queue.ground import Ground
from bench.queue.processes import Workers, python
from bench.queue.results import Record
from bench.queue.systems.base import emptied, settled
from bench.queue.systems.ours import Ours

SECTION = "latency"
JOBS, WARM_UP = 300, 20
SETTLING = 1.5
"""Seconds for workers to become idle."""
LONGEST = 60.0


async def measure(bench: Bench) -> None:
    """Every consumer waits, and gets one job at a time."""
    grounds: dict[str, Ground] = {}
    cases: dict[str, Measure] = {}

    def add(name: str, ground: Ground, command: Sequence[str], options: Sequence[Mapping[str, Any]]) -> None:
        cases[name] = waited(bench, ground, command, options)

    for processes in (1, 4):
        for consumer in (runtime(processes, 0), pgqueuer(10, processes, 0), procrastinate(10, processes, 0)):
            add(consumer.case, _ground(bench, grounds, consumer), consumer.command, consumer.options)
    parked = _ground(bench, grounds, runtime(1, 0))
    number = bench.sizes.parked
    add(f"ours, {number:,} parked engines", parked, python("bench.queue.work.parked"), [{"engines": number}])
    await bench.rounds(SECTION, cases)
    for ground in grounds.values():
        await ground.drop()


def _ground(bench: Bench, grounds: dict[str, Ground], consumer: Consumer) -> Ground:
    name = consumer.system.name
    return grounds.setdefault(name, Ground(bench.postgres, consumer.system, f"latency {name}"))


def waited(bench: Bench, ground: Ground, command: Sequence[str], options: Sequence[Mapping[str, Any]]) -> Measure:
    """The measurement of one consumer."""

    async def measured() -> Record:
        dsn = await ground.dsn()
        connection = await asyncpg.connect(dsn)
        try:
            await emptied(ground.system, connection)
            await settled(ground.system, connection)
        finally:
            await connection.close()
        number = bench.sizes.jobs(JOBS)
        with ExitStack() as stack:
            running = stack.enter_context(api(dsn)) if isinstance(ground.system, Ours) else None
            address = {"url": running.url} if running else {"dsn": dsn}
            consumers = stack.enter_context(Workers(command, [{**each, **address} for each in options]))
            paced = {"system": ground.system.name, "loops": 1, "paced": number, "warm_up": WARM_UP, **address}
            producer = stack.enter_context(Workers(python("bench.queue.work.produce"), [paced]))
            consumers.wait_ready()
            producer.wait_ready()
            consumers.go()
            await asyncio.sleep(SETTLING)
            producer.go()
            await until_done(producer, number + WARM_UP, LONGEST)
            await until_done(consumers, number + WARM_UP, LONGEST)
            producer.stop()
            took = sorted(value for report in consumers.stop() for value in report["latencies"])
        return {"jobs": len(took), "p50": statistics.median(took), "p99": took[int(len(took) * 0.99)], "max": took[-1]}

    return measured
