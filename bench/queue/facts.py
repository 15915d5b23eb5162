"""The machine, and the versions: what numbers mean nothing without."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from bench.queue.postgres import Postgres
from bench.queue.results import Record
from bench.queue.systems import graphile

ROOT = Path(__file__).parents[2]
PEERS = ("pgqueuer", "procrastinate", "asyncpg", "psycopg", "uvicorn", "uvloop")
SYNCS, BLOCK = 200, 8192


async def facts(postgres: Postgres) -> Record:
    """Of this machine, now."""
    versions = {name: _version(name) for name in PEERS}
    return {
        "machine": {
            "CPU": f"{os.cpu_count()} × {_cpu()}",
            "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
            "fdatasync of 8 kB": f"{fdatasync(postgres.data.parent):.0f} µs",
            "load when it began": f"{os.getloadavg()[0]:.1f}",
            "system": f"{platform.system()} {platform.release()}",
        },
        "versions": {
            "Python": platform.python_version(),
            **{name: found for name, found in versions.items() if found},
            "graphile-worker": graphile.PACKAGE.partition("@")[2] if graphile.found() else "not installed",
            "Node.js": _said("node", "--version"),
        },
        "PostgreSQL": await postgres.settings(),
        "commit": _said("git", "describe", "--always", "--dirty", "--exclude=*"),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def fdatasync(folder: Path) -> float:
    """The median time, in µs, that a block takes to be on the disk."""
    path = folder / "fdatasync"
    block = os.urandom(BLOCK)
    times = []
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(SYNCS):
            os.pwrite(handle, block, 0)
            began = time.perf_counter()
            os.fdatasync(handle)
            times.append(time.perf_counter() - began)
    finally:
        os.close(handle)
        path.unlink()
    return statistics.median(times) * 1e6


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _said(*command: str) -> str:
    """What a program says in its first line; nothing where it is not there."""
    if shutil.which(command[0]) is None:
        return ""
    said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    return said.splitlines()[0] if said else ""
