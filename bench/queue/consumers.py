"""Everybody's workers: who runs what, at which batch, in how many processes, with how much in flight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.queue.processes import python
from bench.queue.systems import graphile
from bench.queue.systems.base import System
from bench.queue.systems.graphile import Graphile
from bench.queue.systems.ours import Ours, Statements
from bench.queue.systems.pgqueuer import Pgqueuer
from bench.queue.systems.procrastinate import Procrastinate

IN_FLIGHT = {1: 64, 10: 64, 100: 16}
"""Requests of ours that are under way at once, over all processes, by batch: so many that neither side waits for the
other."""


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """Worker processes of one system. `options`: one entry per process; `jobs`: what a full measurement drains."""

    system: System
    how: str
    command: Sequence[str]
    options: tuple[dict[str, Any], ...]
    jobs: int
    quick: bool = False

    @property
    def case(self) -> str:
        """Its name in tables."""
        number = len(self.options)
        return f"{self.system.name}, {self.how}, {number} process{'es' if number > 1 else ''}"


def ours(batch: int, processes: int, jobs: int, *, quick: bool = False) -> Consumer:
    """Loops of claim and finish over HTTP."""
    loops = max(1, IN_FLIGHT[batch] // processes)
    options = ({"batch": batch, "loops": loops},) * processes
    command = python("bench.queue.work.batches")
    return Consumer(system=Ours(), how=f"batch {batch}", command=command, options=options, jobs=jobs, quick=quick)


def runtime(processes: int, jobs: int, *, engines: int = 1, concurrency: int = 16, quick: bool = False) -> Consumer:
    """The engine runtime, with its default concurrency."""
    options = ({"concurrency": concurrency, "engines": engines},) * processes
    how = "engine runtime" if engines == 1 else f"engine runtime × {engines}"
    if concurrency != 16:
        how += f", concurrency {concurrency}"
    command = python("bench.queue.work.runtime")
    return Consumer(system=Ours(), how=how, command=command, options=options, jobs=jobs, quick=quick)


def statements(batch: int, connections: int, jobs: int, *, quick: bool = False) -> Consumer:
    """The SQL of our tables alone."""
    options = ({"batch": batch, "loops": connections},)
    how = f"batch {batch}, {connections} connection{'s' if connections > 1 else ''}"
    command = python("bench.queue.work.statements")
    return Consumer(system=Statements(), how=how, command=command, options=options, jobs=jobs, quick=quick)


def pgqueuer(batch: int, processes: int, jobs: int, *, quick: bool = False) -> Consumer:
    """One manager per process."""
    options = ({"batch": batch, "managers": 1},) * processes
    command = python("bench.queue.work.pgqueuer")
    return Consumer(system=Pgqueuer(), how=f"batch {batch}", command=command, options=options, jobs=jobs, quick=quick)


def procrastinate(concurrency: int, processes: int, jobs: int, *, quick: bool = False) -> Consumer:
    """One worker per process."""
    options = ({"concurrency": concurrency},) * processes
    command = python("bench.queue.work.procrastinate")
    how = f"concurrency {concurrency}"
    return Consumer(system=Procrastinate(), how=how, command=command, options=options, jobs=jobs, quick=quick)


def graphile_worker(processes: int, jobs: int, *, quick: bool = False) -> Consumer:
    """24 jobs at once from a local queue of 100, completions batched."""
    options = ({"local": 100, "concurrency": 24},) * processes
    command = graphile.command()
    return Consumer(system=Graphile(), how="local queue 100", command=command, options=options, jobs=jobs, quick=quick)


def all_consumers() -> list[Consumer]:
    """What the section `drain` measures."""
    return [
        ours(1, 1, 8_000),
        ours(10, 1, 40_000, quick=True),
        ours(10, 4, 40_000),
        ours(100, 1, 80_000, quick=True),
        ours(100, 4, 80_000),
        runtime(1, 10_000, quick=True),
        runtime(4, 10_000),
        statements(1, 1, 4_000),
        statements(10, 1, 20_000),
        statements(10, 8, 20_000, quick=True),
        statements(100, 1, 40_000),
        statements(100, 4, 80_000, quick=True),
        pgqueuer(10, 1, 20_000, quick=True),
        pgqueuer(10, 2, 20_000),
        pgqueuer(10, 4, 20_000),
        pgqueuer(100, 1, 40_000, quick=True),
        pgqueuer(100, 2, 40_000),
        pgqueuer(100, 4, 40_000),
        procrastinate(1, 1, 2_000),
        procrastinate(10, 1, 3_000, quick=True),
        procrastinate(50, 1, 3_000),
        procrastinate(10, 4, 3_000),
        graphile_worker(1, 80_000, quick=True),
        graphile_worker(2, 80_000),
    ]
