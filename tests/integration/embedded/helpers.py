"""Looking at real processes and databases."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import psutil

T = TypeVar("T")

HOLD = """
import sys
from pathlib import Path
from pyscrai.embedded.database import embedded_database
with embedded_database(Path(sys.argv[1]), durable=False) as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""


def wait_for(look: Callable[[], T], seconds: float = 60.0) -> T:
    """The first true answer of `look`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
    return found


def command(data: Path) -> subprocess.Popen[str]:
    """Another command that uses the folder's database until its stdin ends; it prints the address."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def mentioning(text: str) -> list[psutil.Process]:
    """Living processes with this text in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(text in word for word in words):
            found.append(process)
    return found


def supervisors(data: Path) -> list[psutil.Process]:
    return [process for process in mentioning(str(data)) if "pyscrai.embedded.supervisor" in process.cmdline()]


def fetch(dsn: str, query: str) -> Any:
    """The single value of a query."""

    async def work() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(work())


async def soon(look: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return when `look` answers true; the event loop goes on meanwhile."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.02)
