"""Section `runs`: what a model call of whole runs costs: API, engines and PostgreSQL, beside the model itself."""

from __future__ import annotations

import statistics

from bench import makespan, many
from bench.queue.bench import Bench
from bench.queue.results import Record

SECTION = "runs"
CASE = f"{many.RUNS} runs at once, {many.RUNS * makespan.CALLS:,} model calls"


async def measure(bench: Bench) -> None:
    """The benchmark `many`, which has its rounds itself, on a server of its own."""
    if bench.sizes.quick and not bench.only:
        return
    await bench.rounds(SECTION, {CASE: played}, rounds=1)


async def played() -> Record:
    """CPU in µs per model call; the client is all engines."""
    spans, used = await many.measured()
    calls = many.ROUNDS * many.RUNS * makespan.CALLS
    split = {
        name: used[of] / calls * 1e6
        for name, of in (("client", "engines"), ("server", "api"), ("postgres", "postgres"))
    }
    return {"seconds": statistics.median(spans), "cpu": sum(split.values()), **split}
