"""Section `drain`: how fast a full queue is worked off, and what that costs."""

from __future__ import annotations

from bench.queue.bench import Bench, Measure
from bench.queue.consumers import Consumer, all_consumers
from bench.queue.ground import Ground, record
from bench.queue.results import Record

SECTION = "drain"


async def measure(bench: Bench) -> None:
    """Every consumer drains its queue."""
    consumers = [each for each in all_consumers() if each.quick or not bench.sizes.quick or bench.only]
    grounds: dict[str, Ground] = {}
    cases: dict[str, Measure] = {}
    for consumer in consumers:
        name = consumer.system.name
        ground = grounds.setdefault(name, Ground(bench.postgres, consumer.system, f"drain {name}"))
        cases[consumer.case] = drained(bench, ground, consumer)
    await bench.rounds(SECTION, cases)
    for ground in grounds.values():
        await ground.drop()


def drained(bench: Bench, ground: Ground, consumer: Consumer) -> Measure:
    """The measurement of one consumer."""

    async def measured() -> Record:
        jobs = bench.sizes.jobs(consumer.jobs)
        return record(await ground.drained(consumer.command, consumer.options, jobs))

    return measured
