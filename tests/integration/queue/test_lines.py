"""Lines: connections for statements that stand alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.integration.queue.bench import until
from tests.integration.queue.test_query_plans import explained, nodes

from pyscrai_api.database import PLANS
from pyscrai_api.lines import Lines
from pyscrai_api.queue.claimer import claim_text

PID = "SELECT pg_backend_pid() AS pid"


async def pid(lines: Lines) -> int:
    return int((await lines.fetch(PID))[0]["pid"])


@pytest.fixture
async def lines(dsn: str) -> AsyncIterator[Lines]:
    opened = Lines(lambda: asyncpg.connect(dsn), most=2)
    yield opened
    await opened.close()


async def test_a_line_is_used_again_also_after_a_refusal(lines: Lines) -> None:
    await lines.open()
    first = await pid(lines)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await lines.fetch("SELECT 1 / $1::int", 0)
    assert await pid(lines) == first


async def test_no_more_than_so_many_at_once(lines: Lines) -> None:
    found = await asyncio.gather(*[lines.fetch(f"{PID}, pg_sleep(0.01)") for _ in range(6)])
    assert len({rows[0]["pid"] for rows in found}) == 2


async def test_a_line_that_was_cut_is_replaced(lines: Lines, dsn: str) -> None:
    first = await pid(lines)
    (line,) = lines._free
    other = await asyncpg.connect(dsn)
    await other.fetchval("SELECT pg_terminate_backend($1, 5000)", first)
    await other.close()
    await until(line.is_closed)
    assert await pid(lines) != first


async def test_a_line_that_is_cut_in_the_middle_is_not_kept(lines: Lines) -> None:
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await lines.fetch("SELECT pg_terminate_backend(pg_backend_pid())")
    assert not [line for line in lines._free if not line.is_closed()]
    assert await pid(lines)


async def test_whoever_is_cancelled_leaves_no_line_in_the_middle_of_something(lines: Lines) -> None:
    first = await pid(lines)
    asking = asyncio.create_task(lines.fetch("SELECT pg_sleep(60)"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await pid(lines) != first


async def test_a_line_that_comes_back_after_the_end_is_closed(lines: Lines) -> None:
    asking = asyncio.create_task(lines.fetch(PID))
    await asyncio.sleep(0)
    await lines.close()
    assert await asking
    assert not lines._free


async def test_hot_statements_go_by_index_also_while_there_is_nothing_to_see(dsn: str) -> None:
    """A plan is made once in a connection, maybe in the first second of an installation."""
    conn = await asyncpg.connect(dsn, server_settings=PLANS)
    try:
        await conn.execute("ANALYZE queue, events, runs")
        found = nodes(await explained(conn, claim_text(10)))
    finally:
        await conn.close()
    assert not {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"}
    ready = next(node for node in found if node["Node Type"] == "LockRows")
    assert ready["Plans"][0]["Index Name"] == "ix_queue_ready", "in the order in which it is wanted, without a sort"
