"""Five actors and a narrator for five turns against a model that takes 200 ms: separate processes, durable."""

from __future__ import annotations

import asyncio
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench import peers
from bench.machine import cpu_seconds
from pyscrai.domain.scenario import Scenario
from pyscrai.embedded.database import embedded_database, remove_database
from pyscrai.embedded.stack import stack

TITLE = "Makespan: 5 actors × 5 turns, decision and world update, model of 200 ms, one engine of each kind, durable"
ACTORS, TURNS, LATENCY, ROUNDS = 5, 5, 0.2, 7
CALLS = (ACTORS + 1) * TURNS
IDEAL = 2 * TURNS * LATENCY

DOCUMENT = {
    "name": "bench",
    "world": {"text": "A table and five chairs."},
    "seats": {f"actor-{i}": {"goals": ["speak"]} for i in range(ACTORS)},
    "schedule": {"turns": TURNS, "phases": ["decision", "world_update"]},
}
TEXT = "I will open negotiations on the treaty and ask for a written commitment. "


def script(folder: Path) -> str:
    decide = {"reasoning": TEXT, "goals": ["speak"], "action": TEXT}
    update = {"narrative": TEXT, "facts": {}, "changes": []}
    entries = [("decide", decide), ("world_update", update)]
    answers = [{"when": {"event_type": kind}, "answer": answer, "latency": LATENCY} for kind, answer in entries]
    path = folder / "script.yaml"
    path.write_text(yaml.safe_dump({"answers": answers}))
    return f"scripted:{path}"


async def run() -> list[tuple[str, str, str, str]]:
    with tempfile.TemporaryDirectory(prefix="pyscrai-bench-") as folder:
        data = Path(folder) / "data"
        model = script(Path(folder))
        try:
            async with stack(data=data) as running:
                await running.wait_engines()
                async with httpx.AsyncClient(base_url=f"{running.api_url}/api/v1", timeout=60, trust_env=False) as http:
                    posted = await http.post("/templates/scenarios", json=Scenario.model_validate(DOCUMENT).content())
                    posted.raise_for_status()
                    await play(http, model)  # engines import their model library now, not while it is measured
                    before = cpu_seconds(str(data))
                    spans = [await play(http, model) for _ in range(ROUNDS)]
                    used = cpu_seconds(str(data))
                    spent = await where(http, running.api_url)
                peer = await peer_span(data)
        finally:
            await asyncio.to_thread(remove_database, data)
    return [*rows(spans, {name: used[name] - before[name] for name in used}), *spent, peer_row(peer, spans)]


async def peer_span(data: Path) -> float | None:
    """LangGraph's makespan on the same database server, right after ours; None where it is not installed."""
    if not peers.available():
        return None
    with embedded_database(data) as dsn:
        return await peers.langgraph(dsn, actors=ACTORS, turns=TURNS, latency=LATENCY, text=TEXT, rounds=ROUNDS)


def peer_row(span: float | None, ours: list[float]) -> tuple[str, str, str, str]:
    what = "LangGraph, PostgreSQL, one process"
    if span is None:
        return what, "", "", peers.INSTALL
    return what, f"{span:.2f} s", "", f"ours is × {statistics.median(ours) / span:.2f}, in separate processes over HTTP"


async def where(http: httpx.AsyncClient, url: str) -> list[tuple[str, str, str, str]]:
    """Where the time between two steps goes: the API's own time for the three requests in between."""
    text = (await http.get(f"{url}/metrics")).text
    found = []
    for route in ("status", "claim", "reserve"):
        name = re.escape(f"/api/v1/events/{route}")
        kind = rf'pyscrai_http_request_seconds_(sum|count){{method="\w+",route="{name}"}} (\S+)'
        values = {match[1]: float(match[2]) for match in re.finditer(kind, text)}
        # A claim's time includes waiting for work; its count says how many there were.
        if route != "claim" and values.get("count"):
            mean = values["sum"] / values["count"] * 1000
            found.append(
                (f"  of which PUT or POST /events/{route}", f"{mean:.1f} ms", "", "mean in the API, per request")
            )
    return found


async def play(http: httpx.AsyncClient, model: str) -> float:
    """Seconds from asking for a run to reading its end in the stream."""
    start = time.perf_counter()
    made = await http.post("/runs", json={"scenario": "bench", "choices": {"model": model}})
    made.raise_for_status()
    async with http.stream("GET", f"/runs/{made.json()['id']}/stream") as stream:
        async for line in stream.aiter_lines():
            if line == "event: run_complete":
                return time.perf_counter() - start
    raise RuntimeError("the run did not complete")


def rows(spans: list[float], used: dict[str, float]) -> list[tuple[str, str, str, str]]:
    median = statistics.median(spans)
    per_call = {name: seconds / (ROUNDS * CALLS) * 1000 for name, seconds in used.items()}
    total = sum(per_call.values())
    split = " + ".join(f"{name} {value:.1f}" for name, value in per_call.items())
    steps = 2 * TURNS
    found: list[tuple[str, Any, Any, Any]] = [
        ("makespan", f"{median:.2f} s", "2.20 s", f"ideal {IDEAL:.2f} s; × {median / IDEAL:.2f}; {spread(spans)}"),
        ("beyond the ideal, per step", f"{(median - IDEAL) / steps * 1000:.0f} ms", "20 ms", f"{steps} steps"),
        ("CPU per model call", f"{total:.1f} ms", "6 ms", split),
    ]
    return found


def spread(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f} s in {len(values)} rounds"
