"""Section `engines`: whether many engines cost more per event than few, in as many processes."""

from __future__ import annotations

from bench.queue.bench import Bench
from bench.queue.consumers import runtime
from bench.queue.drains import drained
from bench.queue.ground import Ground

SECTION = "engines"
PROCESSES = 4


async def measure(bench: Bench) -> None:
    """4 and 32 engines drain the same."""
    few, many = runtime(PROCESSES, 12_000), runtime(PROCESSES, 12_000, engines=8)
    ground = Ground(bench.postgres, few.system, "engines")
    await bench.rounds(
        SECTION,
        {"4 engines": drained(bench, ground, few), "32 engines": drained(bench, ground, many)},
    )
    await ground.drop()
