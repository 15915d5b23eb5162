"""What has piled up costs nothing: with very many finished, future and held events, and long books, statements on the
way of an event keep to their indexes. The plans are generic ones; no time is measured."""

from __future__ import annotations

import asyncpg
from tests.integration.queue.test_query_plans import PRIMARY, explained, nodes

from pyscrai_api.money import providers, purses
from pyscrai_api.queue.claimer import claim_text
from pyscrai_api.queue.statements import sql

FINISHED, FUTURE, HELD, READY, LEASED, DEAD, CALLS = 100_000, 20_000, 20_000, 3_000, 500, 500, 30_000
GROWING = {"queue", "events", "outcomes", "attempts", "calls", "purses", "limits", "entries"}
"""Of providers there are a few."""
_FILL = f"""
INSERT INTO events (event_type, payload, owner, created_by)
SELECT 'prompt', '{{}}', 'local', 'local'
FROM generate_series(1, {FINISHED + FUTURE + HELD + READY + LEASED + DEAD});
INSERT INTO outcomes (event_id, state, lease_no, claims, failures, losses, handbacks, closing, result, finished_at)
SELECT id, 1, 1, 1, 0, 0, 0, 1, '{{}}', now() - make_interval(secs => id) FROM events ORDER BY id LIMIT {FINISHED};
INSERT INTO queue (id, run_id, lane, event_type, state, rank, pass, run_at, lease_no, claims, leased_at, lease_until,
                   engine_id, claim_id, handbacks, error)
SELECT id, CASE state WHEN 5 THEN md5((id % 300)::text)::uuid END, 'lane' || id % 3, 'prompt', state, 4, id,
  CASE state WHEN 1 THEN now() + interval '1 day' END, 1, 1,
  CASE state WHEN 3 THEN now() END, CASE state WHEN 3 THEN now() + interval '1 h' END,
  CASE state WHEN 3 THEN md5((id % 50)::text)::uuid END, CASE state WHEN 3 THEN gen_random_uuid() END,
  (state <> 3)::int, CASE state WHEN 6 THEN 'x' END
FROM (
  SELECT id, CASE WHEN n <= {FUTURE} THEN 1 WHEN n <= {FUTURE + HELD} THEN 5 WHEN n <= {FUTURE + HELD + READY} THEN 2
    WHEN n <= {FUTURE + HELD + READY + LEASED} THEN 3 ELSE 6 END AS state
  FROM (SELECT id, row_number() OVER (ORDER BY id) - {FINISHED} AS n FROM events) AS numbered WHERE n > 0
) AS made;
INSERT INTO attempts (event_id, lease_no, kind, engine_id, leased_at)
SELECT id, 1, 3, gen_random_uuid(), now() FROM queue WHERE state IN (1, 5);
INSERT INTO calls (event_id, lease_no, call, owner, try_no, state, model, input_bound, max_tokens, provider,
                   request_hash, input_price, output_price)
SELECT event_id, 1, 1, 'local', 1, CASE WHEN event_id % 500 = 0 THEN 1 ELSE 2 END, 'm', 1, 1, 'p' || event_id % 5,
  '', 0, 0 FROM outcomes ORDER BY event_id LIMIT {CALLS};
INSERT INTO purses (scope, owner, name, period)
SELECT 'day', 'o' || n % 100, '', DATE '2020-01-01' + n / 100 FROM generate_series(1, 30000) AS n;
INSERT INTO limits (scope, owner, name, period, set_by) SELECT 'day', 'o' || n, '', DATE '2020-01-01', 'local'
FROM generate_series(1, 5000) AS n;
INSERT INTO providers (name) SELECT 'p' || n FROM generate_series(1, 20) AS n;
ANALYZE;
"""
EXPECTED = {
    claim_text(10): "ix_queue_ready",
    claim_text(500): "ix_queue_ready",
    sql("claim", "claimed_before"): "ix_queue_engine",
    sql("claim", "leased"): PRIMARY,
    sql("enqueue", "step"): "ix_queue_ready",
    sql("enqueue", "loose"): "ix_queue_ready",
    sql("enqueue", "once"): "ix_queue_ready",
    sql("finish", "lock"): PRIMARY,
    sql("finish", "succeed"): PRIMARY,
    sql("finish", "succeed_late"): "pk_attempts|attempts_pkey",
    sql("finish", "fail"): PRIMARY,
    sql("finish", "hand_back"): PRIMARY,
    sql("finish", "expire"): PRIMARY,
    sql("finish", "deferred"): "pk_attempts|attempts_pkey",
    sql("finish", "missed"): "pk_outcomes|outcomes_pkey",
    sql("engines", "renew"): PRIMARY,
    sql("engines", "renew_all"): "ix_queue_engine",
    sql("engines", "unlisted"): "ix_queue_engine",
    sql("engines", "held"): "ix_queue_engine",
    sql("loops", "expired"): "ix_queue_leased",
    sql("loops", "promote"): "ix_queue_scheduled",
    sql("loops", "next_due"): "ix_queue_scheduled",
    sql("loops", "strays"): "ix_queue_ready",
    sql("loops", "hold"): "ix_queue_run",
    sql("control", "lock_run"): "ix_queue_run",
    sql("control", "cancel_run"): "ix_queue_run",
    sql("control", "release_run"): "ix_queue_run",
    sql("control", "redrive"): PRIMARY,
    sql("control", "discard"): PRIMARY,
    sql("operating", "dead"): "ix_queue_dead",
    sql("events", "in_lane"): "pk_events|events_pkey",
    sql("operating", "paused_ready"): "ix_queue_ready",
    sql("operating", "let_go"): "ix_queue_paused",
    sql("operating", "hold_paused"): PRIMARY,
    sql("operating", "release_paused"): PRIMARY,
    sql("operating", "promote"): PRIMARY,
    sql("operating", "oldest"): "ix_queue_ready",
    sql("health", "leases"): "ix_queue_leased",
    sql("loose", "places"): "pk_events|events_pkey",
    sql("loose", "open_calls"): "ix_calls_open|pk_calls|calls_pkey",
    purses._LOCK: "pk_purses|purses_pkey",
    purses._READ: "pk_purses|purses_pkey",
    purses._APPLY: "pk_purses|purses_pkey",
    purses._LIMITS: "pk_limits|limits_pkey",
    providers._READ: "ix_calls_provider",
    providers._BLOCK: "ix_calls_open|pk_calls|calls_pkey",
}


async def test_history_costs_nothing(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute("SET plan_cache_mode = force_generic_plan")
        await conn.execute(_FILL)
        wrong = [found for text, index in EXPECTED.items() if (found := await _wrong(conn, text, index))]
    finally:
        await conn.execute("TRUNCATE events, queue, outcomes, attempts, purses, limits, providers CASCADE")
        await conn.close()
    assert not wrong, "\n".join(wrong)


async def _wrong(conn: asyncpg.Connection, text: str, index: str) -> str | None:
    """What a statement reads that it should not, or the index that it does not use."""
    plan = nodes(await explained(conn, text))
    whole = GROWING & {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"}
    used = {node["Index Name"] for node in plan if "Index Name" in node}
    if whole or not used & set(index.split("|")):
        return f"{' '.join(text.split())[:90]}…: reads {sorted(whole)} whole, uses {sorted(used)} and not {index}"
    return None
