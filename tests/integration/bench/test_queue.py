"""The benchmark of the queue runs: every section and every system, with sizes whose numbers mean nothing."""

from __future__ import annotations

import asyncio

import pytest
from bench.queue import consumers, drains, engines, enqueues, fairness, histories, latencies, page, snapshots
from bench.queue.bench import TINY
from bench.queue.command import measured
from bench.queue.results import Results
from bench.queue.systems import graphile
from bench.queue.systems.base import installed
from rich.console import Console

OURS = [
    f"{drains.SECTION} · {consumers.ours(10, 1, 0).case}",
    f"{drains.SECTION} · {consumers.runtime(1, 0).case}",
    f"{drains.SECTION} · {consumers.statements(10, 8, 0).case}",
    f"{enqueues.SECTION} · ours, 100 at once",
    f"{latencies.SECTION} · ours, 20 parked engines",
    f"{histories.SECTION} · ours, batch 10, held",
    f"{snapshots.SECTION} · SQL alone",
    f"{engines.SECTION} · 4 engines",
    f"{fairness.SECTION} · two runs of one owner",
]


def run(*only: str) -> Results:
    found = asyncio.run(measured(Console(quiet=True), TINY, only, None))
    assert {record["case"]: record["error"] for record in found.records if "error" in record} == {}
    return found


def test_it_measures_us_in_every_section() -> None:
    found = run(*OURS)
    sections = list(dict.fromkeys(only.partition(" · ")[0] for only in OURS))
    assert [section for section in sections if not found.cases(section)] == []
    assert all(record["rate"] > 0 for record in found.records if "rate" in record)
    text = page.measured(found)
    assert f"| {consumers.ours(10, 1, 0).case} | " in text
    assert found.facts["PostgreSQL"]["synchronous_commit"] == found.facts["PostgreSQL"]["fsync"] == "on"


@pytest.mark.parametrize("peer", ["pgqueuer", "procrastinate"])
def test_it_measures_a_peer(peer: str) -> None:
    if not installed(peer):
        pytest.skip(f"{peer} is not installed: pip install 'pyscrai[bench]'")
    consumer = consumers.pgqueuer(10, 1, 0) if peer == "pgqueuer" else consumers.procrastinate(10, 1, 0)
    found = run(
        f"{drains.SECTION} · {consumer.case}",
        f"{enqueues.SECTION} · {peer}, 100 at once",
        f"{latencies.SECTION} · {consumer.case}",
        f"{histories.SECTION} · {peer}, {consumer.how}, future",
    )
    assert {record["section"] for record in found.records} == {
        drains.SECTION, enqueues.SECTION, latencies.SECTION, histories.SECTION,
    }  # fmt: skip


def test_it_measures_graphile_worker() -> None:
    if not graphile.found():
        pytest.skip("graphile-worker is not installed: the benchmark does it by itself where npm is there")
    found = run(f"{drains.SECTION} · {consumers.graphile_worker(1, 0).case}")
    assert len(found.records) == 1
