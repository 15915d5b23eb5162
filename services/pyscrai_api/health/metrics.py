"""The health report for Prometheus: one number per line, and the figures behind them."""

from __future__ import annotations

from prometheus_client import Gauge

from pyscrai_api.health.report import Health
from pyscrai_api.metrics import Metrics

FRESH = 15.0
"""Seconds for which a report is good enough for a scrape."""
STATES = {"ok": 0, "warn": 1, "bad": 2}


def watch_health(metrics: Metrics, health: Health) -> None:
    """Register the gauges."""
    registry = metrics.registry
    lines = Gauge("pyscrai_health", "0 ok, 1 warn, 2 bad", ["section", "name"], registry=registry)
    figures = Gauge("pyscrai_health_figure", "The figures behind them", ["figure"], registry=registry)
    dead = Gauge("pyscrai_table_dead_rows", "Rows that are no more, still in the table", ["table"], registry=registry)
    live = Gauge("pyscrai_table_live_rows", "Rows, as the server estimates", ["table"], registry=registry)
    size = Gauge("pyscrai_table_bytes", "Size of the table without its indexes", ["table"], registry=registry)
    vacuumed = Gauge("pyscrai_table_vacuumed_seconds", "Since the last vacuum", ["table"], registry=registry)
    indexes = Gauge("pyscrai_index_bytes", "Size of the index", ["index"], registry=registry)

    async def refresh() -> None:
        report, facts = await health.report(FRESH)
        lines.clear()
        figures.clear()
        for line in report.lines:
            lines.labels(line.section, line.name).set(STATES[line.state])
            for name, value in line.values.items():
                figures.labels(name).set(value)
        for table in facts.tables or ():
            dead.labels(table.name).set(table.dead)
            live.labels(table.name).set(table.live)
            size.labels(table.name).set(table.bytes)
            if table.vacuumed is not None:
                vacuumed.labels(table.name).set(table.vacuumed)
        for index in facts.indexes or ():
            indexes.labels(index.name).set(index.bytes)

    metrics.refreshers.append(refresh)
