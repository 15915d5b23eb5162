"""Section `history`: what lies in the database besides the work slows a queue down, or does not."""

from __future__ import annotations

from bench.queue import consumers
from bench.queue.bench import Bench, Measure, Sizes
from bench.queue.consumers import Consumer
from bench.queue.ground import Ground, record
from bench.queue.results import Record
from bench.queue.systems.base import STATES

SECTION = "history"
ROUNDS = 2
QUICKLY = ("ours", "pgqueuer")
"""Who is enough for a quick picture."""
LONGEST = 15.0
"""Seconds after which what was done until then counts: some would take an hour."""


def measured_consumers() -> tuple[Consumer, ...]:
    """Whom this section looks at."""
    return (
        consumers.ours(10, 1, 40_000),
        consumers.statements(10, 8, 20_000),
        consumers.pgqueuer(10, 1, 20_000),
        consumers.procrastinate(10, 1, 3_000),
    )


def rows(sizes: Sizes) -> dict[str, int]:
    """How many rows of each state there are."""
    return {"clean": 0, "finished": sizes.finished, "future": sizes.future, "held": sizes.held}


def case(consumer: Consumer, state: str) -> str:
    """Its name in tables."""
    return f"{consumer.system.name}, {consumer.how}, {state}"


async def measure(bench: Bench) -> None:
    """Every consumer drains its queue in each state, each state in a database of its own."""
    many = rows(bench.sizes)
    for consumer in measured_consumers():
        if bench.sizes.quick and not bench.only and consumer.system.name not in QUICKLY:
            continue
        grounds: list[Ground] = []
        cases: dict[str, Measure] = {}
        for state in STATES:
            if state not in consumer.system.states:
                continue
            ground = Ground(bench.postgres, consumer.system, f"history {consumer.system.name} {state}")
            grounds.append(ground)
            cases[case(consumer, state)] = burdened(bench, ground, consumer, state, many[state])
        await bench.rounds(SECTION, cases, rounds=min(ROUNDS, bench.sizes.rounds))
        for ground in grounds:
            await ground.drop()


def burdened(bench: Bench, ground: Ground, consumer: Consumer, state: str, number: int) -> Measure:
    """The measurement of one consumer in one state."""

    async def measured() -> Record:
        await ground.burden(state, number)
        jobs = bench.sizes.jobs(consumer.jobs)
        return record(await ground.drained(consumer.command, consumer.options, jobs, longest=LONGEST))

    return measured
