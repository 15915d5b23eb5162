"""How the installation stands with its model providers: for people, and for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client import Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from pyscrai.contract.providers import ProviderState
from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.database import Pool
from pyscrai_api.metrics import Metrics
from pyscrai_api.money.lines import Lines
from pyscrai_api.money.provider_limits import OTHERS, Declared, split
from pyscrai_api.money.providers import Providers

_STATES = """
WITH named AS (
  SELECT unnest($1::text[]) AS name UNION SELECT name FROM providers
  UNION SELECT provider FROM calls WHERE state = 1 AND provider IS NOT NULL
)
SELECT n.name, p.requests_at, p.tokens_at, p.blocked_by, clock_timestamp() AS now,
  greatest(extract(epoch FROM p.blocked_until - clock_timestamp()), 0)::float8 AS blocked_for,
  (SELECT count(DISTINCT (c.event_id, c.lease_no)) FROM calls c WHERE c.state = 1 AND c.provider = n.name) AS open_calls
FROM named n LEFT JOIN providers p USING (name) ORDER BY n.name
"""


async def states(pool: Pool, declared: Declared, viewer: str) -> list[ProviderState]:
    """Every provider that has limits, was ever kept to some, or is being asked, by name; with people's own keys those
    of the viewer, `local` sees all."""
    names = [name for name in declared.by_name if name != OTHERS]
    found = [_state(row, declared) for row in await pool.fetch(_STATES, names)]
    return [each for each in found if viewer == LOCAL_OWNER or each.key_of in (None, viewer)]


def _state(row: Any, declared: Declared) -> ProviderState:
    limits = declared.of(row["name"])
    waits = [0.0]
    if limits.requests is not None and row["requests_at"] is not None:
        waits.append(limits.requests.wait(row["requests_at"], row["now"], 1))
    if limits.tokens is not None and row["tokens_at"] is not None:
        waits.append(limits.tokens.wait(row["tokens_at"], row["now"], 1))
    blocked_for = row["blocked_for"] or 0.0
    name, holder = split(row["name"])
    return ProviderState(
        name=name,
        key_of=holder,
        **limits.model_dump(),
        open_calls=row["open_calls"],
        blocked_for=blocked_for,
        blocked_by=row["blocked_by"] if blocked_for else None,
        free_in=max(*waits, blocked_for),
    )


class _Refusals(Collector):
    """Counted by the lines themselves, which know nothing of Prometheus."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(
            "pyscrai_provider_rate_limited",
            "Calls that were put off: by our limits, or because the provider asked for it",
            labels=["provider", "by"],
        )
        counts: Counter[tuple[str, str]] = Counter()
        for (name, by), count in self._lines.refusals.items():
            counts[split(name)[0], by] += count
        for (provider, by), count in sorted(counts.items()):
            family.add_metric([provider, by], count)
        yield family


def watch_providers(metrics: Metrics, pool: Pool, providers: Providers) -> None:
    """Register the gauges, which are read from the database at each scrape, and this process's counter."""
    calls = Gauge(
        "pyscrai_provider_open_calls", "Events with a model call open", ["provider"], registry=metrics.registry
    )
    blocked = Gauge(
        "pyscrai_provider_blocked_seconds",
        "Seconds for which a provider still wants to be left alone",
        ["provider"],
        registry=metrics.registry,
    )
    metrics.registry.register(_Refusals(providers.lines))

    async def refresh() -> None:
        found = await states(pool, providers.declared, LOCAL_OWNER)
        calls.clear()
        blocked.clear()
        # Whoever may scrape need not know who there is: people's own keys are counted with their provider.
        for each in found:
            calls.labels(each.name).inc(each.open_calls)
            blocked.labels(each.name).inc(0 if each.key_of else each.blocked_for)

    metrics.refreshers.append(refresh)
