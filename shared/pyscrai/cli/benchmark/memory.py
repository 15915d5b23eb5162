"""Memory of our processes, by what they do: sampled while something is played, the highest value kept.

On Linux pages that processes share are divided among them (PSS), so that a sum is what the machine really gives;
elsewhere the resident size is taken as `ps` says it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio import to_thread

SAMPLE_SECONDS = 0.5
PROC = Path("/proc")
SERVICES = {
    "pyscrai_api": "api",
    "pyscrai_actor": "actor",
    "pyscrai_narrator": "narrator",
    "pyscrai_analyst": "analyst",
}


@dataclass(frozen=True, kw_only=True)
class Process:
    pid: int
    parent: int
    arguments: str


@dataclass
class Peaks:
    """The highest values seen, in bytes: of all together at one moment, and of each kind by itself."""

    total: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)

    def add(self, sample: Mapping[str, int]) -> None:
        self.total = max(self.total, sum(sample.values()))
        for kind, size in sample.items():
            self.by_kind[kind] = max(self.by_kind.get(kind, 0), size)


@asynccontextmanager
async def watched(database: int | None) -> AsyncIterator[Peaks]:
    """Sample this process, what it has started, and the database server with this process id, until the end."""
    peaks = Peaks()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_sample, peaks, database)
        yield peaks
        tasks.cancel_scope.cancel()
    peaks.add(await to_thread.run_sync(sample, os.getpid(), database))


async def _sample(peaks: Peaks, database: int | None) -> None:
    while True:
        peaks.add(await to_thread.run_sync(sample, os.getpid(), database))
        await anyio.sleep(SAMPLE_SECONDS)


def sample(own: int, database: int | None) -> dict[str, int]:
    """Kind → bytes, now. A process that ends meanwhile is left out."""
    processes = {process.pid: process for process in (_linux() if PROC.is_dir() else _by_ps())}
    found: dict[str, int] = {}
    for pid in _family(processes.values(), own):
        kind = "command" if pid == own else _kind(processes[pid].arguments)
        if kind is not None:
            found[kind] = found.get(kind, 0) + _size(pid)
    if database is not None:
        found["postgresql"] = sum(_size(pid) for pid in _family(processes.values(), database))
    return found


def _kind(arguments: str) -> str | None:
    """What a process of ours does; None for helpers that come and go."""
    return next((kind for module, kind in SERVICES.items() if re.search(rf"\b{module}\b", arguments)), None)


def _family(processes: Iterable[Process], root: int) -> set[int]:
    """The process and everything below it."""
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    family, left = {root}, [root]
    while left:
        below = set(children.get(left.pop(), ())) - family
        family |= below
        left += below
    return family


def _linux() -> Iterable[Process]:
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
                arguments = (folder / "cmdline").read_text("utf-8", "replace").replace("\0", " ")
            except OSError:
                continue
            # The name is in brackets and may have anything in it.
            yield Process(pid=int(folder.name), parent=int(stat.rpartition(")")[2].split()[1]), arguments=arguments)


def _by_ps() -> Iterable[Process]:
    listed = subprocess.run(["ps", "-axo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        pid, parent, *arguments = line.split(None, 2)
        yield Process(pid=int(pid), parent=int(parent), arguments="".join(arguments))


def _size(pid: int) -> int:
    """Bytes; 0 for a process that has ended."""
    try:
        if PROC.is_dir():
            text = (PROC / str(pid) / "smaps_rollup").read_text()
            return 1024 * int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
        return 1024 * int(told or 0)
    except (OSError, StopIteration):
        return 0
