"""What the latest paid calls of this installation say about the lengths of requests and answers."""

from __future__ import annotations

from collections.abc import Collection

from pyscrai_api.database import Connection
from pyscrai_api.estimates.lengths import Seen

LOOKED_AT = 5_000
"""Paid calls, the latest of all models: an index walked backwards, so it costs the same however many there were."""
MOST_OF_A_KIND = 1_000
STATEMENT = """
WITH latest AS (
  SELECT event_id, call, model, usage, input_bound, settled_at FROM calls
  WHERE cost > 0 AND settled_at IS NOT NULL ORDER BY settled_at DESC, owner DESC LIMIT $2
), told AS (
  SELECT l.model, e.event_type, l.call, l.input_bound,
    (l.usage ->> 'input_tokens')::bigint AS input, (l.usage ->> 'output_tokens')::bigint AS output,
    coalesce((l.usage ->> 'reasoning_tokens')::bigint, 0) AS thought,
    coalesce((l.usage ->> 'cached_tokens')::bigint, 0) AS cached,
    coalesce((l.usage ->> 'cache_write_tokens')::bigint, 0) AS written,
    row_number() OVER (PARTITION BY l.model, e.event_type ORDER BY l.settled_at DESC) AS place
  FROM latest l JOIN events e ON e.id = l.event_id
  WHERE l.model = ANY($1) AND l.usage IS NOT NULL AND e.run_id IS NOT NULL
)
SELECT model, event_type, count(*) FILTER (WHERE call = 1) AS calls, count(*) FILTER (WHERE call > 1) AS repairs,
  (avg(output) FILTER (WHERE call = 1))::float8 AS output,
  (avg(greatest(output - thought, 1)) FILTER (WHERE call = 1))::float8 AS visible,
  coalesce(stddev_samp(ln(greatest(output, 1))) FILTER (WHERE call = 1), 0.5)::float8 AS spread,
  (sum(input) FILTER (WHERE call = 1))::bigint AS input, (sum(input_bound) FILTER (WHERE call = 1))::bigint AS bound,
  (sum(cached) FILTER (WHERE call = 1))::bigint AS cached, (sum(written) FILTER (WHERE call = 1))::bigint AS written
FROM told WHERE place <= $3 GROUP BY model, event_type HAVING count(*) FILTER (WHERE call = 1) > 0
ORDER BY model, event_type
"""


async def seen(conn: Connection, models: Collection[str]) -> list[Seen]:
    """By model and event type; only counts of tokens, whoever paid."""
    rows = await conn.fetch(STATEMENT, list(models), LOOKED_AT, MOST_OF_A_KIND)
    return [Seen(**dict(row)) for row in rows]
