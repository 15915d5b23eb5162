"""One long play: 7 seats × 66 turns, 18 model calls in each, with the rehearsal model. Does a turn cost the same at the
end as at the beginning, and what does the database keep of it?"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from bench.machine import cpu_seconds
from pyscrai.embedded.database import embedded_database, remove_database
from pyscrai.embedded.stack import stack
from pyscrai.formats.load import load

TITLE = "A long play: 7 seats × 66 turns × 18 calls, rehearsal model, one engine of each kind, durable"
SCENARIO = Path(__file__).parent / "scenarios" / "long-talks.yaml"
TURNS = 66
EARLY, LATE = range(8, 13), range(58, 63)
"""Turns around the 10th and the 60th; one alone says more about the machine than about us."""
_LOOKED = {turn for turns in (EARLY, LATE) for turn in (turns[0] - 1, turns[-1])}
_TABLES = """
SELECT c.relname AS name, pg_total_relation_size(c.oid) AS bytes
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
"""
# What was said and asked, by the turn that it belongs to.
_OF_TURNS = """
SELECT e.turn, sum(octet_length(o.result)) AS results,
  (SELECT sum(octet_length(l.canonical)) FROM entries l WHERE l.run_id = $1 AND l.turn = e.turn) AS entries,
  (SELECT coalesce(sum(octet_length(c.answer)), 0) FROM calls c JOIN events x ON x.id = c.event_id
   WHERE x.run_id = $1 AND x.turn = e.turn) AS answers,
  (SELECT coalesce(sum(octet_length(f.state)), 0) FROM folds f WHERE f.run_id = $1
     AND f.seq IN (SELECT l.seq FROM entries l WHERE l.run_id = $1 AND l.turn = e.turn)) AS folds,
  (SELECT coalesce(sum(octet_length(t.content)), 0) FROM request_texts t WHERE t.run_id = $1 AND t.hash IN (
     SELECT jsonb_array_elements_text(c.request) FROM calls c JOIN events x ON x.id = c.event_id
     WHERE x.run_id = $1 AND x.turn = e.turn)) AS requests
FROM events e JOIN outcomes o ON o.event_id = e.id WHERE e.run_id = $1 GROUP BY e.turn ORDER BY e.turn
"""
_SAID = """
SELECT (SELECT sum(octet_length(answer)) FROM calls) AS answers,
  (SELECT sum(octet_length(content)) FROM request_texts) AS requests, (SELECT count(*) FROM calls) AS calls
"""


@dataclass(frozen=True)
class Kept:
    """What a database holds, in bytes."""

    whole: int
    tables: dict[str, int]


async def run() -> list[tuple[str, str, str, str]]:
    with tempfile.TemporaryDirectory(prefix="pyscrai-bench-") as folder:
        data = Path(folder) / "data"
        try:
            with embedded_database(data) as dsn:
                async with stack(data=data) as running:
                    await running.wait_engines()
                    async with httpx.AsyncClient(
                        base_url=f"{running.api_url}/api/v1", timeout=60, trust_env=False
                    ) as http:
                        scenario = load(SCENARIO).scenario
                        assert scenario is not None
                        (await http.post("/templates/scenarios", json=scenario.content())).raise_for_status()
                        await play(http, turns=1)  # engines import their model library now
                        before, used = await kept(dsn), cpu_seconds(str(data))
                        began = time.perf_counter()
                        run_id, log, seen = await play(http, TURNS, lambda: sum(cpu_seconds(str(data)).values()))
                        span = time.perf_counter() - began
                        after = cpu_seconds(str(data))
                        return [
                            *times(span, log, {name: after[name] - used[name] for name in used}),
                            compared(seen),
                            *await storage(dsn, run_id, before),
                        ]
        finally:
            await asyncio.to_thread(remove_database, data)


async def play(
    http: httpx.AsyncClient, turns: int, look: Callable[[], float] = lambda: 0.0
) -> tuple[str, list[dict[str, Any]], dict[int, float]]:
    """A run to its end, its log, and what `look` said after turns that matter."""
    made = await http.post("/runs", json={"scenario": "long-talks", "choices": {"turns": turns, "model": "rehearsal"}})
    made.raise_for_status()
    run = made.json()["id"]
    done, seen = 0, {}
    async with http.stream("GET", f"/runs/{run}/stream") as stream:
        async for line in stream.aiter_lines():
            if line == "event: turn_complete":
                done += 1
                if done in _LOOKED:
                    seen[done] = look()
            if line == "event: run_complete":
                break
    log: list[dict[str, Any]] = []
    after = 0
    while page := (await http.get(f"/runs/{run}/log", params={"after": after, "limit": 1000})).json()["items"]:
        log += page
        after = page[-1]["seq"]
    return run, log, seen


def times(span: float, log: list[dict[str, Any]], used: dict[str, float]) -> list[tuple[str, str, str, str]]:
    at = {entry["turn"]: datetime.fromisoformat(entry["at"]) for entry in log if entry["kind"] == "turn_complete"}
    took = {turn: (at[turn] - at[turn - 1]).total_seconds() * 1000 for turn in range(2, TURNS + 1)}
    early, late = (statistics.median(took[turn] for turn in turns) for turns in (EARLY, LATE))
    calls = 18 * TURNS
    split = " + ".join(f"{name} {seconds:.1f}" for name, seconds in used.items())
    total = sum(used.values())
    return [
        ("wall", f"{span:.1f} s", "12 s", f"{span / TURNS * 1000:.0f} ms a turn, on the machine as it is now"),
        ("processor time", f"{total:.1f} s", "", f"{split}; {total / calls * 1000:.1f} ms a model call"),
        (
            "turn 60 against turn 10",
            f"× {late / early:.2f}",
            "× 1.10",
            f"{early:.0f} ms, then {late:.0f} ms; medians",
        ),
    ]


def compared(seen: dict[int, float]) -> tuple[str, str, str, str]:
    """Processor time, which the machine's other work changes less than it changes wall time."""
    early, late = (seen[turns[-1]] - seen[turns[0] - 1] for turns in (EARLY, LATE))
    note = f"{early / len(EARLY) * 1000:.0f} ms, then {late / len(LATE) * 1000:.0f} ms a turn"
    return "  in processor time", f"× {late / early:.2f}", "× 1.10", note


async def kept(dsn: str) -> Kept:
    connection = await asyncpg.connect(dsn)
    try:
        tables = {row["name"]: row["bytes"] for row in await connection.fetch(_TABLES)}
        return Kept(await connection.fetchval("SELECT pg_database_size(current_database())"), tables)
    finally:
        await connection.close()


async def storage(dsn: str, run_id: str, before: Kept) -> list[tuple[str, str, str, str]]:
    now = await kept(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        said = await connection.fetchrow(_SAID)
        turns = {row["turn"]: dict(row) for row in await connection.fetch(_OF_TURNS, run_id)}
    finally:
        await connection.close()
    content = said["answers"] + said["requests"]
    grown = sorted(((now.tables[name] - size, name) for name, size in before.tables.items()), reverse=True)
    by_table = ", ".join(f"{name} {size / 1e6:.1f}" for size, name in grown if size > 50_000)
    whole = now.whole - before.whole
    parts = ("requests", "answers", "results", "entries", "folds")
    early, late = ({part: statistics.mean(turns[t][part] for t in span) for part in parts} for span in (EARLY, LATE))
    ratio = sum(late.values()) / sum(early.values())
    note = ", ".join(f"{part} {early[part] / 1000:.1f} → {late[part] / 1000:.1f}" for part in parts)
    return [
        ("bytes of turn 60 against turn 10", f"× {ratio:.2f}", "× 1.10", f"kB a turn: {note}"),
        ("database against content", f"× {whole / content:.1f}", "× 6",
         f"{whole / 1e6:.1f} MB for {said['answers'] / 1e6:.2f} MB of answers and {said['requests'] / 1e6:.2f} MB of "
         f"distinct requests, {said['calls']} calls"),
        ("  of which, MB by table", by_table, "", "with indexes and TOAST"),
    ]  # fmt: skip
