"""Costs are read through their indexes: what one run or one day has cost is not looked for among all calls."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from pyscrai_api.estimates.calibration import STATEMENT as CALIBRATION
from pyscrai_api.money.breakdown import RUN_STATEMENT
from pyscrai_api.money.spending import PARTS, STATEMENTS

CALLS = 30_000


@pytest.fixture
async def full(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Calls of 300 runs over 300 days, most of them free, analysed."""
    conn = await asyncpg.connect(dsn)
    await conn.execute(
        f"""
        INSERT INTO events (event_type, payload, owner, created_by)
        SELECT 'prompt', '{{}}', 'local', 'local' FROM generate_series(1, {CALLS});
        INSERT INTO calls (event_id, lease_no, call, run_id, owner, step, ordinal, try_no, state, model, input_bound,
                           max_tokens, reserved, cost, request_hash, reserved_at, settled_at)
        SELECT id, 1, 1, md5((id % 300)::text)::uuid, 'local', 1, 1, 1, 2, 'm', 1, 1, 0.001, (id % 10 = 0)::int * 0.001,
          'h', now() - make_interval(days => id::int % 300), now() - make_interval(days => id::int % 300)
        FROM events;
        ANALYZE;
        """
    )
    yield conn
    # These rows stand for nothing: their runs were never started.
    await conn.execute("TRUNCATE events, queue, outcomes, attempts CASCADE")
    await conn.close()


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


async def used(conn: asyncpg.Connection, statement: str, *arguments: str) -> tuple[set[str], set[str]]:
    """The indexes that a statement uses, and which of calls and events it reads whole."""
    for number, argument in reversed(list(enumerate(arguments, 1))):
        statement = statement.replace(f"${number}", argument)
    plan = nodes(json.loads(await conn.fetchval(f"EXPLAIN (FORMAT JSON) {statement}"))[0]["Plan"])
    whole = {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"}
    return {node["Index Name"] for node in plan if "Index Name" in node}, whole & {"calls", "events"}


async def test_a_runs_costs_are_found_by_the_run(full: asyncpg.Connection) -> None:
    indexes, whole = await used(full, RUN_STATEMENT, "md5('7')::uuid")
    assert "ix_calls_position" in indexes
    assert not whole


@pytest.mark.parametrize("part", PARTS)
async def test_an_installations_costs_are_found_by_the_day(full: asyncpg.Connection, part: Any) -> None:
    indexes, whole = await used(full, STATEMENTS[part], "(now() - interval '7 days')", "NULL", "50")
    assert {"ix_calls_paid", "ix_calls_open"} <= indexes
    assert not whole


async def test_what_estimates_are_calibrated_on_is_the_latest_of_the_index(full: asyncpg.Connection) -> None:
    indexes, whole = await used(full, CALIBRATION, "ARRAY['m']", "100", "50")
    assert "ix_calls_paid" in indexes
    assert not whole
