"""Hot statements go on using the index that was made for them. The plans are generic ones: values decide nothing."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from pyscrai_api.queue.claimer import claim_text
from pyscrai_api.queue.statements import sql, statements

ROWS = 30_000


@pytest.fixture
async def full(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A queue with many rows in every state, analysed."""
    conn = await asyncpg.connect(dsn)
    await conn.execute("SET plan_cache_mode = force_generic_plan")
    await conn.execute(
        f"""
        INSERT INTO events (event_type, payload, owner, created_by)
        SELECT 'prompt', '{{}}', 'local', 'local' FROM generate_series(1, {ROWS});
        INSERT INTO queue (id, lane, event_type, state, rank, pass, run_at, lease_no, claims, leased_at, lease_until,
                           engine_id, claim_id, failures, handbacks, losses, error)
        SELECT id, 'lane' || id % 3, 'prompt', s, 4, id, CASE s WHEN 1 THEN now() + interval '1 h' END, 1, 1,
          CASE s WHEN 3 THEN now() END, CASE s WHEN 3 THEN now() + interval '1 h' END,
          CASE s WHEN 3 THEN md5((id % 50)::text)::uuid END, CASE s WHEN 3 THEN gen_random_uuid() END,
          0, (s <> 3)::int, 0, CASE s WHEN 6 THEN 'x' END
        FROM (SELECT id, (ARRAY[1, 2, 2, 2, 3, 5, 6, 0])[1 + id % 8] AS s FROM events) AS made WHERE s > 0;
        INSERT INTO outcomes (event_id, state, lease_no, claims, failures, losses, handbacks, closing, result,
                              finished_at)
        SELECT id, 1, 1, 1, 0, 0, 0, 1, '{{}}', now() - make_interval(hours => id::int % 1000)
        FROM events WHERE id % 8 = 7;
        ANALYZE;
        """
    )
    yield conn
    # These rows stand for nothing: their attempts were never made.
    await conn.execute("TRUNCATE events, queue, outcomes, attempts CASCADE")
    await conn.close()


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


async def explained(conn: asyncpg.Connection, text: str) -> dict[str, Any]:
    """The plan of a statement, whatever its arguments are."""
    count = max((int(number) for number in re.findall(r"\$(\d+)", text)), default=0)
    await conn.execute(f"PREPARE guarded AS {text}")
    arguments = f"({', '.join(['NULL'] * count)})" if count else ""
    found = json.loads(await conn.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE guarded{arguments}"))
    await conn.execute("DEALLOCATE guarded")
    plan: dict[str, Any] = found[0]["Plan"]
    return plan


async def used(conn: asyncpg.Connection, text: str) -> tuple[set[str], set[str]]:
    """The indexes that a statement uses, and the tables that it reads whole."""
    plan = nodes(await explained(conn, text))
    scans = {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"}
    return {node["Index Name"] for node in plan if "Index Name" in node}, scans & {"queue", "events", "outcomes"}


PRIMARY = "queue_pkey|pk_queue"


@pytest.mark.parametrize(
    ("text", "index"),
    [
        (claim_text(5), "ix_queue_ready"),
        (claim_text(64), "ix_queue_ready"),
        (sql("claim", "leased"), PRIMARY),
        (sql("claim", "claimed_before"), "ix_queue_engine"),
        (sql("claim", "peek"), "ix_queue_ready"),
        (sql("enqueue", "step"), "ix_queue_ready"),
        (sql("enqueue", "loose"), "ix_queue_ready"),
        (sql("enqueue", "once"), "ix_queue_ready"),
        (sql("finish", "quick"), PRIMARY),
        (sql("finish", "succeed"), PRIMARY),
        (sql("finish", "fail"), PRIMARY),
        (sql("finish", "hand_back"), PRIMARY),
        (sql("finish", "expire"), PRIMARY),
        (sql("people", "propose"), PRIMARY),
        (sql("people", "submit"), PRIMARY),
        (sql("people", "skip"), PRIMARY),
        (sql("people", "to_model"), PRIMARY),
        (sql("engines", "renew"), PRIMARY),
        (sql("engines", "renew_all"), "ix_queue_engine"),
        (sql("engines", "unlisted"), "ix_queue_engine"),
        (sql("loops", "expired"), "ix_queue_leased"),
        (sql("loops", "promote"), "ix_queue_scheduled"),
        (sql("loops", "next_due"), "ix_queue_scheduled"),
        (sql("loops", "strays"), "ix_queue_ready"),
        (sql("loops", "hold"), "ix_queue_run"),
        (sql("control", "cancel_run"), "ix_queue_run"),
        (sql("control", "release_run"), "ix_queue_run"),
        (sql("operating", "dead"), "ix_queue_dead"),
        (sql("events", "in_lane"), "pk_events|events_pkey"),
        (sql("events", "dead"), PRIMARY),
    ],
)
async def test_a_hot_statement_uses_its_index(full: asyncpg.Connection, text: str, index: str) -> None:
    indexes, scanned = await used(full, text)
    assert any(name in indexes for name in index.split("|")), indexes
    assert not scanned


async def test_retention_finds_what_is_old_by_its_index(full: asyncpg.Connection) -> None:
    indexes, _ = await used(full, sql("loops", "forget"))
    assert "ix_outcomes_retention" in indexes


async def test_a_finish_never_walks_the_lease_index(full: asyncpg.Connection) -> None:
    """Its dead entries pile up under a held snapshot; `(state + 0)` keeps the planner from it."""
    for name in ("quick", "succeed", "fail", "hand_back", "expire"):
        indexes, _ = await used(full, sql("finish", name))
        assert not {name for name in indexes if name.startswith("ix_queue")}, (name, indexes)


async def test_a_claim_begins_at_its_mark(full: asyncpg.Connection) -> None:
    """The mark is part of the index condition, so that what lies below it is not walked."""
    await full.execute(f"PREPARE guarded AS {claim_text(5)}")
    text = "\n".join(row[0] for row in await full.fetch(
        "EXPLAIN EXECUTE guarded('lane1', NULL, NULL, NULL, 4::smallint, 100, 100, NULL, NULL, NULL)"
    ))  # fmt: skip
    condition = next(line for line in text.splitlines() if "Index Cond" in line and "lane" in line)
    assert "ROW(rank, pass, id) > ROW(" in condition


def test_every_statement_says_what_it_is_for() -> None:
    for file in (
        "claim",
        "control",
        "engines",
        "enqueue",
        "events",
        "finish",
        "health",
        "loops",
        "loose",
        "operating",
        "people",
        "invariants",
    ):
        for statement in statements(file).values():
            assert len(statement.purpose) > 8, statement.name
            assert ";" not in statement.text, statement.name
