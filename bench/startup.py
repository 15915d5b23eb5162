"""How long people wait before anything happens."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pyscrai.embedded.database import remove_database
from pyscrai.embedded.stack import stack

TITLE = "Start-up"
PYSCRAI = str(Path(sys.executable).parent / "pyscrai")
ROOT = Path(__file__).parent.parent
ROUNDS = 5


async def run() -> list[tuple[str, str, str, str]]:
    with tempfile.TemporaryDirectory(prefix="pyscrai-bench-") as folder:
        data = Path(folder) / "data"
        try:
            return [
                row("pyscrai --help", [timed(data, "--help") for _ in range(ROUNDS)], "0.5 s"),
                row("make run, new data folder", [timed(data, *PLAY)], "25 s", "beyond installing packages"),
                row("make run, again", [timed(data, *PLAY) for _ in range(3)], "8 s"),
                row("API ready and engines registered, warm", [await ready(data) for _ in range(ROUNDS)], "3 s"),
            ]
        finally:
            await asyncio.to_thread(remove_database, data)


PLAY = ("run", str(ROOT / "templates/scenarios/negotiation"), "--model", "rehearsal")


def timed(data: Path, *arguments: str) -> float:
    start = time.perf_counter()
    environment = {**os.environ, "PYSCRAI_DATA": str(data)}
    subprocess.run([PYSCRAI, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


async def ready(data: Path) -> float:
    start = time.perf_counter()
    async with stack(data=data) as running:
        await running.wait_engines()
        return time.perf_counter() - start


def row(what: str, values: list[float], target: str, note: str = "") -> tuple[str, str, str, str]:
    spread = f"{min(values):.2f} to {max(values):.2f} s" if len(values) > 1 else "once"
    return what, f"{statistics.median(values):.2f} s", target, f"{spread}  {note}".strip()
