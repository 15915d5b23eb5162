"""What the queue shows to Prometheus: depth by lane, type and state, what waits longest, engines, claims that wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from prometheus_client import Gauge

from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.metrics import Metrics
from pyscrai_api.queue.depths import Counted
from pyscrai_api.queue.service import Queue
from pyscrai_api.queue.states import Live
from pyscrai_api.queue.tally import MOST_SERIES, OTHER, lane_label

FRESH = 2.0
"""Seconds for which a count of the queue is good enough for a scrape."""


def watch_queue(metrics: Metrics, queue: Queue) -> None:
    """Register the gauges and the tally; depth is counted once in `FRESH` seconds, however often one scrapes."""
    registry = metrics.registry
    depth = Gauge("pyscrai_queue_events", "Live events", ["lane", "event_type", "state"], registry=registry)
    oldest = Gauge(
        "pyscrai_queue_oldest_ready_seconds", "Since when the first in line is ready", ["lane"], registry=registry
    )
    estimated = Gauge("pyscrai_queue_estimated", "1 where depths are taken from a sample", registry=registry)
    paused = Gauge("pyscrai_queue_pauses", "Pauses of lanes and event types", registry=registry)
    engines = Gauge("pyscrai_engines", "Engines that live", ["lane", "status"], registry=registry)
    parked = Gauge("pyscrai_claims_parked", "Claims that wait for work in this process", registry=registry)
    parked.set_function(lambda: queue.claimers.parked)
    registry.register(queue.tally)

    async def refresh() -> None:
        counted = await queue.depths.look(FRESH)
        live = await queue.engines.health(LOCAL_OWNER)
        for gauge in (depth, oldest, engines):
            gauge.clear()
        for (lane, kind, state), events in bounded(counted).items():
            depth.labels(lane, kind, state).set(events)
        for lane, seconds in worst(counted.oldest).items():
            oldest.labels(lane).set(seconds)
        estimated.set(counted.estimated)
        paused.set(queue.pauses.count)
        for row in live:
            engines.labels(lane_label(row["lane"]), row["status"]).inc(row["engines"])

    metrics.refreshers.append(refresh)


def bounded(counted: Counted) -> Mapping[tuple[str, str, str], int]:
    """Depths by the labels of the lane, the type and the state: the fullest have their own, the rest is `other`."""
    sums: Counter[tuple[str, str]] = Counter()
    for (lane, kind), states in counted.events.items():
        sums[lane_label(lane), kind] += sum(states.values())
    named = {pair for pair, _ in sums.most_common(MOST_SERIES)}
    found: Counter[tuple[str, str, str]] = Counter()
    for (lane, kind), states in counted.events.items():
        pair = (lane_label(lane), kind)
        for state, events in states.items():
            found[(*(pair if pair in named else (OTHER, OTHER)), Live(state).name.lower())] += events
    return found


def worst(oldest: Mapping[str, float]) -> Mapping[str, float]:
    """By label: of pools the one that waits longest; of very many lanes those that do."""
    found: dict[str, float] = {}
    for lane, seconds in oldest.items():
        label = lane_label(lane)
        found[label] = max(seconds, found.get(label, 0.0))
    return dict(sorted(found.items(), key=lambda item: -item[1])[:MOST_SERIES])
