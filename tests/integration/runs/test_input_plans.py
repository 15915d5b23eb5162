"""What every step asks for costs the same on day 1 and day 1000: plans of the queries of injected inputs."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.runs.desk import Desk, crowd

from pyscrai_api.runs.inputs import RECORDED, TAKE

LINES = """
INSERT INTO entries (run_id, seq, track, kind, turn, step, n, canonical, body)
SELECT $1, 10 + n, 'story', CASE WHEN n % 100 = 0 THEN 'input' WHEN n % 3 = 0 THEN 'metric' ELSE 'decision' END, 1,
  10 + n / 10, n % 10, '{}', '{"by": "model"}' FROM generate_series(1, 30000) n
"""
OTHERS = """
INSERT INTO inputs (run_id, kind, body, created_by)
SELECT $1, 'input', '{}', 'local' FROM generate_series(1, 5000)
"""


async def test_inputs_are_found_by_index(desk: Desk) -> None:
    run, other = await desk.start(crowd(1)), await desk.start(crowd(1))
    pool = desk.deps.pool
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute(LINES, run["id"])
        await conn.execute(OTHERS, other["id"])
        await conn.execute("ANALYZE entries")
        await conn.execute("ANALYZE inputs")
        recorded = await nodes_of(conn, RECORDED, f"'{run['id']}'", "2000", "0")
        taken = await nodes_of(conn, TAKE, f"'{run['id']}'")
        await transaction.rollback()
    assert {node.get("Index Name") for node in recorded} >= {"ix_entries_injected"}
    assert {node.get("Index Name") for node in taken} >= {"ix_inputs_run_id"}
    assert not [node for node in (*recorded, *taken) if node["Node Type"] == "Seq Scan"]


async def nodes_of(conn: Any, statement: str, *arguments: str) -> list[dict[str, Any]]:
    for number, argument in reversed(list(enumerate(arguments, 1))):
        statement = statement.replace(f"${number}", argument)
    plan = json.loads(await conn.fetchval(f"EXPLAIN (FORMAT JSON) {statement}"))[0]["Plan"]
    found, ahead = [], [plan]
    while ahead:
        node = ahead.pop()
        found.append(node)
        ahead += node.get("Plans", [])
    return found
