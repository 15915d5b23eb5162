"""Fifty runs at once, of five actors and a narrator for five turns each, against a model that takes 200 ms."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import asyncpg
import httpx

from bench.machine import cpu_seconds
from bench.makespan import ACTORS, CALLS, DOCUMENT, IDEAL, LATENCY, TURNS, play, script, spread
from pyscrai.domain.scenario import Scenario
from pyscrai.embedded.database import embedded_database, remove_database
from pyscrai.embedded.stack import stack

RUNS, ROUNDS = 50, 3
TITLE = f"{RUNS} runs × {ACTORS} actors × {TURNS} turns at once, model of 200 ms, one engine of each kind, durable"
ENOUGH = {"PYSCRAI_RUNS_AT_ONCE": "none", "PYSCRAI_CONCURRENCY": "300"}
"""Settings: all runs play, and an engine waits for all their calls at once."""
_OPEN = "SELECT count(*) FROM runs WHERE status <> 'completed'"


async def run() -> list[tuple[str, str, str, str]]:
    return rows(*await measured())


async def measured() -> tuple[list[float], dict[str, float]]:
    """Seconds of each round, and seconds of CPU that all of them took: of API, engines and PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="pyscrai-bench-") as folder:
        data = Path(folder) / "data"
        model = script(Path(folder))
        try:
            with embedded_database(data) as dsn:
                async with stack(data=data, extra_env=ENOUGH) as running:
                    await running.wait_engines()
                    async with httpx.AsyncClient(
                        base_url=f"{running.api_url}/api/v1", timeout=60, trust_env=False
                    ) as http:
                        content = Scenario.model_validate(DOCUMENT).content()
                        (await http.post("/templates/scenarios", json=content)).raise_for_status()
                        await play(http, model)  # engines import their model library now
                        before = cpu_seconds(str(data))
                        spans = [await all_of_them(http, dsn, model) for _ in range(ROUNDS)]
                        after = cpu_seconds(str(data))
        finally:
            await asyncio.to_thread(remove_database, data)
    return spans, {name: after[name] - before[name] for name in after}


async def all_of_them(http: httpx.AsyncClient, dsn: str, model: str) -> float:
    """Seconds from asking for the first run to the end of the last."""
    connection = await asyncpg.connect(dsn)
    try:
        start = time.perf_counter()
        wanted = {"scenario": "bench", "choices": {"model": model}}
        for made in await asyncio.gather(*(http.post("/runs", json=wanted) for _ in range(RUNS))):
            made.raise_for_status()
        while await connection.fetchval(_OPEN):  # noqa: ASYNC110 - the database is asked, nobody tells us
            await asyncio.sleep(0.02)
        return time.perf_counter() - start
    finally:
        await connection.close()


def rows(spans: list[float], used: dict[str, float]) -> list[tuple[str, str, str, str]]:
    median = statistics.median(spans)
    per_call = {name: seconds / (ROUNDS * RUNS * CALLS) * 1000 for name, seconds in used.items()}
    split = " + ".join(f"{name} {value:.2f}" for name, value in per_call.items())
    total = sum(per_call.values())
    bound = total * RUNS * CALLS / 1000 / 2
    return [
        ("until the last has ended", f"{median:.1f} s", "6 s", f"ideal {IDEAL:.1f} s of waiting; {spread(spans)}"),
        ("CPU per model call", f"{total:.1f} ms", "8 ms", split),
        ("what two cores take for that", f"{bound:.1f} s", "", f"{RUNS * CALLS} calls of {LATENCY * 1000:.0f} ms"),
    ]
