"""Section `profile`: where the API spends its time under load, by py-spy, as shares of what it worked."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.queue.api import Api
from bench.queue.bench import Bench, Measure
from bench.queue.consumers import Consumer, ours
from bench.queue.drain import Watch
from bench.queue.ground import Ground
from bench.queue.results import Record

SECTION = "profile"
RATE = 400
SHOWN = 14
PATIENCE = 20.0
PACKAGES = ("asyncpg", "uvicorn", "starlette", "fastapi", "pydantic", "json", "asyncio", "uvloop", "prometheus_client")


async def measure(bench: Bench) -> None:
    """Ours at batch 10 and at 100, watched. What is measured besides is thrown away: watching costs."""
    if bench.sizes.quick and not bench.only:
        return
    consumers = [ours(10, 1, 30_000), ours(100, 1, 80_000)]
    ground = Ground(bench.postgres, consumers[0].system, "profile")
    await bench.rounds(SECTION, {each.case: watched(bench, ground, each) for each in consumers}, rounds=1)
    await ground.drop()


def watched(bench: Bench, ground: Ground, consumer: Consumer) -> Measure:
    """The profile of the API while one consumer works."""

    async def measured() -> Record:
        with tempfile.TemporaryDirectory(prefix="pyscrai-bench-") as folder:
            file = Path(folder) / "stacks"
            jobs = bench.sizes.jobs(consumer.jobs)
            await ground.drained(consumer.command, consumer.options, jobs, watch=recording(file))
            return {"shares": shares(file.read_text("utf-8"))}

    return measured


def recording(file: Path) -> Watch:
    """Let py-spy write down the stacks of the API. Raises RuntimeError where it cannot."""

    @contextmanager
    def watch(running: Api) -> Iterator[None]:
        if not program().exists():
            raise RuntimeError("py-spy is not installed: pip install 'pyscrai[bench]'")
        options = ["--pid", str(running.process.pid), "--rate", str(RATE), "--format", "raw", "--output", str(file)]
        with subprocess.Popen(
            [program(), "record", *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as spy:
            try:
                yield
            finally:
                spy.send_signal(signal.SIGINT)
                _, said = spy.communicate(timeout=PATIENCE)
        if not file.exists():
            raise RuntimeError(f"py-spy says: {said.strip().splitlines()[-1:]}")

    return watch


def program() -> Path:
    """Where py-spy is, if it is."""
    return Path(sys.executable).parent / "py-spy"


def shares(stacks: str) -> dict[str, float]:
    """By part, its share of all samples: the file of the innermost frame that is ours, and what it called."""
    counted: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, number = line.rpartition(" ")
        counted[part(frames.split(";"))] += int(number)
    total = sum(counted.values())
    found = {name: number / total for name, number in counted.most_common(SHOWN)}
    return {**found, "everything else": 1 - sum(found.values())}


def part(frames: list[str]) -> str:
    """`pyscrai_api/queue/claimer.py → asyncpg`: what of ours works, and in whose code."""
    own = next((file for file in map(_file, reversed(frames)) if file.startswith(("pyscrai_api/", "pyscrai/"))), "")
    inner = _file(frames[-1])
    if inner == own:
        return own
    library = next((name for name in PACKAGES if inner.startswith(f"{name}/")), "other libraries")
    entry = own in ("", "pyscrai_api/serve.py", "pyscrai_api/__main__.py")
    return library if entry else f"{own} → {library}"


def _file(frame: str) -> str:
    """The file of a frame such as `claim (pyscrai_api/queue/claimer.py:12)`."""
    return frame.rpartition("(")[2].partition(":")[0].rstrip(")")
