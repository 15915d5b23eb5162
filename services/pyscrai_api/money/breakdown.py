"""What a run has cost by seat, phase, model and turn: one pass over its calls, in one statement."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args
from uuid import UUID

from pyscrai.contract.costs import CostLine, RunCosts, RunPart
from pyscrai_api.database import Pool

PARTS: tuple[RunPart, ...] = get_args(RunPart)
SUMS = """
  count(*) FILTER (WHERE state IN (2, 3) AND source IS NULL) AS calls, coalesce(sum(cost), 0) AS cost,
  count(*) FILTER (WHERE state = 1) AS open, coalesce(sum(reserved) FILTER (WHERE state = 1), 0) AS reserved,
  count(*) FILTER (WHERE state = 3) AS assumed, coalesce(sum(cost) FILTER (WHERE state = 3), 0) AS assumed_cost,
  count(*) FILTER (WHERE source = 'replay') AS replayed, count(*) FILTER (WHERE source = 'cache') AS cached,
  coalesce(sum(input_tokens) FILTER (WHERE source IS NULL), 0)::bigint AS input_tokens,
  coalesce(sum(output_tokens) FILTER (WHERE source IS NULL), 0)::bigint AS output_tokens,
  coalesce(sum(cached_tokens) FILTER (WHERE source IS NULL), 0)::bigint AS cached_tokens,
  coalesce(sum(cache_write_tokens) FILTER (WHERE source IS NULL), 0)::bigint AS cache_write_tokens,
  coalesce(sum(reasoning_tokens) FILTER (WHERE source IS NULL), 0)::bigint AS reasoning_tokens
"""
"""What a line says, over rows of `CALLS`. An answer that no provider was asked for has used no tokens."""
CALLS = """
  c.state, c.cost, c.reserved, c.source, c.model,
  (c.usage ->> 'input_tokens')::bigint AS input_tokens, (c.usage ->> 'output_tokens')::bigint AS output_tokens,
  (c.usage ->> 'cached_tokens')::bigint AS cached_tokens,
  (c.usage ->> 'cache_write_tokens')::bigint AS cache_write_tokens,
  (c.usage ->> 'reasoning_tokens')::bigint AS reasoning_tokens
"""
"""Columns of `calls c`."""
RUN_STATEMENT = f"""
SELECT grouping(seat, phase, model, turn) AS level, seat, phase, model, turn, {SUMS}
FROM (
  SELECT {CALLS}, coalesce(e.phase, '') AS phase, coalesce(e.turn, 0) AS turn,
    coalesce(e.seat, CASE e.phase WHEN 'world_update' THEN 'narrator' ELSE 'analyst' END) AS seat
  FROM calls c JOIN events e ON e.id = c.event_id
  WHERE c.run_id = $1
) told
GROUP BY GROUPING SETS ((seat), (phase), (model), (turn), ())
"""
_LEVELS: dict[int, RunPart] = {0b0111: "seat", 0b1011: "phase", 0b1101: "model", 0b1110: "turn"}
"""What `grouping` says of a row: a bit for each column that it does not go by."""
_TOTAL = 0b1111
_RUN = "SELECT spent, limit_usd, seats FROM runs WHERE id = $1"


async def run_costs(pool: Pool, run_id: UUID, parts: Iterable[RunPart]) -> RunCosts:
    """The costs of a run by each of these parts: seats in their order, models by cost, turns by number."""
    # Lines and sums have to be of one moment, so that they agree while the run goes on.
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        run = await conn.fetchrow(_RUN, run_id)
        rows = await conn.fetch(RUN_STATEMENT, run_id)
    wanted = list(dict.fromkeys(parts))
    by: dict[RunPart, list[CostLine]] = {part: [] for part in wanted}
    total = next(line_of(row, "") for row in rows if row["level"] == _TOTAL)
    for row in rows:
        part = _LEVELS.get(row["level"])
        if part in by:
            by[part].append(line_of(row, str(row[part])))
    order = {part: _order(part, json.loads(run["seats"])) for part in wanted}
    return RunCosts(
        run_id=str(run_id),
        spent=run["spent"],
        limit=run["limit_usd"],
        total=total,
        by={part: sorted(lines, key=order[part]) for part, lines in by.items()},
    )


def _order(part: RunPart, seats: Sequence[str]) -> Callable[[CostLine], tuple[Any, ...]]:
    """Seats as they sit, turns as they come, everything else with the dearest first."""
    if part == "seat":
        places = {seat: place for place, seat in enumerate([*seats, "narrator", "analyst"])}
        return lambda line: (places.get(line.key, len(places)), line.key)
    if part == "turn":
        return lambda line: (int(line.key),)
    return lambda line: (-line.cost, line.key)


def line_of(row: Any, key: str) -> CostLine:
    """A row of `SUMS`."""
    return CostLine(key=key, **{name: row[name] for name in CostLine.model_fields if name != "key"})
