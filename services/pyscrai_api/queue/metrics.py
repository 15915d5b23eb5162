"""What the queue shows to Prometheus: depth by lane and state, engines, and claims that wait.

Whoever may scrape need not know who there is: pools are called by people's names, and are told as one, `actor:*`.
"""

from __future__ import annotations

from prometheus_client import Gauge

from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.database import Pool
from pyscrai_api.metrics import Metrics
from pyscrai_api.queue.service import Queue
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.states import Live


def watch_queue(metrics: Metrics, pool: Pool, queue: Queue) -> None:
    """Register the gauges; depth is read from the database at each scrape."""
    depth = Gauge("pyscrai_queue_events", "Live events", ["lane", "state"], registry=metrics.registry)
    engines = Gauge("pyscrai_engines", "Engines that live", ["lane", "status"], registry=metrics.registry)
    parked = Gauge("pyscrai_claims_parked", "Claims that wait for work in this process", registry=metrics.registry)
    parked.set_function(lambda: queue.claimers.parked)

    async def refresh() -> None:
        rows = await pool.fetch(sql("loops", "depth"))
        live = await queue.engines.health(LOCAL_OWNER)
        depth.clear()
        engines.clear()
        for row in rows:
            depth.labels(_label(row["lane"]), Live(row["state"]).name.lower()).inc(row["events"])
        for lane in live:
            engines.labels(_label(lane["lane"]), lane["status"]).inc(lane["engines"])

    metrics.refreshers.append(refresh)


def _label(lane: str) -> str:
    engine_type, colon, _ = lane.partition(":")
    return f"{engine_type}:*" if colon else lane
