"""What the page says: one look at the database, bounded however much there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version

from pyscrai.contract.costs import Costs
from pyscrai.contract.runs import Run
from pyscrai.contract.seats import Asked
from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.database import Pool
from pyscrai_api.money.prices import today
from pyscrai_api.money.spending import costs
from pyscrai_api.page.money import DAYS, MODELS
from pyscrai_api.people.pools import may_see_lane
from pyscrai_api.queue.depths import Depths
from pyscrai_api.queue.states import Live
from pyscrai_api.runs import reading
from pyscrai_api.seats.reading import inbox

RUNS = 15
KINDS = ("actor", "narrator", "analyst")
"""Lanes that every installation has, also when nothing is in them yet."""
_ENGINES = """
SELECT lane, count(*) FILTER (WHERE status = 'active') AS active,
  count(*) FILTER (WHERE status = 'draining') AS draining,
  sum(coalesce((resource_limits ->> 'max_concurrent_events')::bigint, 1)) AS room,
  extract(epoch FROM now() - max(last_heartbeat))::float8 AS seen
FROM engines WHERE status <> 'gone' GROUP BY lane ORDER BY lane LIMIT 50
"""
_COUNTS = "SELECT status, count(*) AS runs FROM runs WHERE owner = $1 AND ended_at IS NULL GROUP BY status"


@dataclass(kw_only=True)
class Lane:
    """One queue and who works on it. `seen`: seconds since one of its engines was heard of."""

    name: str
    engines: int = 0
    draining: int = 0
    room: int = 0
    seen: float | None = None
    events: dict[Live, int] = field(default_factory=dict)

    @property
    def at_work(self) -> int:
        return self.events.get(Live.LEASED, 0)

    @property
    def ready(self) -> int:
        return self.events.get(Live.READY, 0)

    @property
    def later(self) -> int:
        """Scheduled, held, or waiting for a person."""
        return sum(self.events.get(state, 0) for state in (Live.SCHEDULED, Live.HELD, Live.WAITING))

    @property
    def dead(self) -> int:
        return self.events.get(Live.DEAD, 0)

    @property
    def deserted(self) -> bool:
        """Work is ready and nobody is there to do it."""
        return self.ready > 0 and self.engines == 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the page shows. `links`: whether a browser may follow links into the API."""

    version: str
    lanes: list[Lane]
    counts: dict[str, int]
    runs: list[Run]
    asks: list[Asked]
    links: bool
    by_day: Costs
    by_model: Costs


async def look(pool: Pool, depths: Depths, owner: str, *, links: bool) -> Facts:
    """Everything as it stands now."""
    counted = await depths.look()
    lanes = {name: Lane(name=name) for name in KINDS}
    async with pool.acquire() as conn:
        for row in await conn.fetch(_ENGINES):
            if not may_see_lane(owner, row["lane"]):
                continue
            lanes.setdefault(row["lane"], Lane(name=row["lane"]))
            there = lanes[row["lane"]]
            there.engines, there.draining = row["active"], row["draining"]
            there.room, there.seen = int(row["room"]), row["seen"]
        for (name, _), states in counted.events.items():
            if may_see_lane(owner, name):
                there = lanes.setdefault(name, Lane(name=name))
                for state, events in states.items():
                    there.events[state] = there.events.get(state, 0) + events
        counts = {row["status"]: row["runs"] for row in await conn.fetch(_COUNTS, owner)}
        asks = await inbox(conn, owner, run_id=None, seat=None, after=None, limit=RUNS)
        page = await reading.list_runs(conn, owner, scenario=None, status=None, after=None, limit=RUNS)
    whose = None if owner == LOCAL_OWNER else owner
    since = today() - timedelta(days=DAYS - 1)
    return Facts(
        version=version("pyscrai"),
        lanes=list(lanes.values()),
        counts=counts,
        runs=page.items,
        asks=asks.items,
        links=links,
        by_day=await costs(pool, by="day", since=since, owner=whose, limit=DAYS),
        by_model=await costs(pool, by="model", since=since, owner=whose, limit=MODELS),
    )
