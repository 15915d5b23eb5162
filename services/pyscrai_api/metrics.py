"""What one API process counts, for Prometheus. Each application has a registry of its own."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pyscrai_api.database import Pool

Refresh = Callable[[], Awaitable[None]]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """`registry` takes further metrics; a `Refresh` in `refreshers` is awaited before each scrape is answered."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.refreshers: list[Refresh] = []
        self._requests = Counter(
            "pyscrai_http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "pyscrai_http_request_seconds",
            "Seconds until a request was answered in full",
            ["method", "route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.loop_runs = Counter(
            "pyscrai_loop_runs", "Runs of the background loops", ["loop", "result"], registry=self.registry
        )
        self.loop_items = Counter(
            "pyscrai_loop_items", "What the background loops did", ["loop"], registry=self.registry
        )

        self.loops: dict[str, tuple[float, float]] = {}
        seen = Gauge(
            "pyscrai_loop_seconds_since_run", "Since a background loop last came to its end", ["loop"],
            registry=self.registry,
        )  # fmt: skip
        self._seen = seen

    def loop_seen(self, name: str, every: float) -> None:
        """A loop begins, or has done what was due; it runs again in `every` seconds."""
        if name not in self.loops:
            self._seen.labels(name).set_function(lambda: time.monotonic() - self.loops[name][0])
        self.loops[name] = time.monotonic(), every

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        known = self._known.get((method, route, status))
        if known is None:
            known = self._requests.labels(method, route, status), self._seconds.labels(method, route)
            self._known[method, route, status] = known
        known[0].inc()
        known[1].observe(seconds)

    def watch_pool(self, pool: Pool) -> None:
        """Show how many connections there are and how many are in use."""
        size = Gauge("pyscrai_pool_connections", "Connections to the database", registry=self.registry)
        busy = Gauge("pyscrai_pool_connections_in_use", "Connections in use", registry=self.registry)
        size.set_function(pool.get_size)
        busy.set_function(lambda: pool.get_size() - pool.get_idle_size())

    async def page(self) -> bytes:
        """The scrape. A refresher that fails fails the scrape, so that no stale number passes for a fresh one."""
        for refresh in self.refreshers:
            await refresh()
        return generate_latest(self.registry)
