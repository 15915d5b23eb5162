"""What an installation has spent: by user, model, day, scenario and group, over the calls that cost something.

Free calls are not looked at, so that a million of them make no difference; paid ones are found by the time they were
paid (`ix_calls_paid`), those under way by being open (`ix_calls_open`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import get_args

from pyscrai.contract.costs import CostLine, Costs, Part
from pyscrai_api.database import Pool
from pyscrai_api.money.breakdown import CALLS, SUMS, line_of

PARTS: tuple[Part, ...] = get_args(Part)
_TOLD = f"""
WITH told AS (
  SELECT {CALLS}, c.run_id, c.owner, coalesce(c.drawn_on, (c.settled_at AT TIME ZONE 'UTC')::date) AS day
  FROM calls c WHERE c.cost > 0 AND c.settled_at >= $1 AND ($2::text IS NULL OR c.owner = $2)
  UNION ALL
  SELECT {CALLS}, c.run_id, c.owner, coalesce(c.drawn_on, (c.reserved_at AT TIME ZONE 'UTC')::date)
  FROM calls c WHERE c.state = 1 AND c.reserved > 0 AND ($2::text IS NULL OR c.owner = $2)
)
"""
_RUNS = "LEFT JOIN runs r ON r.id = told.run_id"
_TEMPLATES = "LEFT JOIN templates t ON t.id = r.template_id"
_KEYED: dict[Part, str] = {
    "user": "SELECT told.*, told.owner AS key FROM told",
    "model": "SELECT told.*, told.model AS key FROM told",
    "day": "SELECT told.*, told.day::text AS key FROM told",
    "scenario": f"SELECT told.*, coalesce(t.name, '') AS key FROM told {_RUNS} {_TEMPLATES}",
    "group": f"SELECT told.*, coalesce(r.group_name, '') AS key FROM told {_RUNS}",
}


def _statement(part: Part) -> str:
    """Lines by one part and their total; `$3` is how many lines."""
    order = "key DESC" if part == "day" else "cost DESC, key"
    return f"""{_TOLD}
SELECT * FROM (
  SELECT grouping(key) AS level, key, {SUMS} FROM ({_KEYED[part]}) keyed GROUP BY GROUPING SETS ((key), ())
) line ORDER BY level DESC, {order} LIMIT $3
"""


STATEMENTS = {part: _statement(part) for part in PARTS}
_NO_MONEY = dict.fromkeys(("cost", "reserved", "assumed_cost"), "0")


async def costs(pool: Pool, *, by: Part, since: date, owner: str | None, limit: int) -> Costs:
    """What was paid from the beginning of a day (UTC) on, and what is under way; `owner` None: everybody's."""
    begin = datetime.combine(since, time(0), UTC)
    # One row is the total, and one more says that there would have been more.
    rows = await pool.fetch(STATEMENTS[by], begin, owner, limit + 2)
    lines = [line_of(row, row["key"]) for row in rows if row["level"] == 0]
    total = next((line_of(row, "") for row in rows if row["level"]), CostLine.model_validate(_NO_MONEY))
    return Costs(
        by=by,
        since=since.isoformat(),
        owner=owner,
        total=total,
        lines=lines[:limit],
        more=len(lines) > limit,
    )
