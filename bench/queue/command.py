"""`python -m bench queue`: measure, print, and write the page."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console

from bench.queue import drains, engines, enqueues, histories, latencies, snapshots
from bench.queue.bench import FULL, QUICK, TINY, Bench, Sizes
from bench.queue.postgres import postgres
from bench.queue.results import Results

ROOT = Path(__file__).parents[2]
SECTIONS = (drains, enqueues, latencies, histories, snapshots, engines)


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    given = _parser().parse_args(arguments)
    console = Console(highlight=False)
    sizes = TINY if given.tiny else QUICK if given.quick else FULL
    asyncio.run(measured(console, sizes, given.only))
    return 0


async def measured(console: Console, sizes: Sizes, only: Sequence[str]) -> Results:
    """All sections that were asked for, on a server that is made for them."""
    results = Results(ROOT / "build" / "bench" / f"queue-{datetime.today():%Y%m%d-%H%M%S}.jsonl")
    async with postgres() as server:
        bench = Bench(postgres=server, results=results, sizes=sizes, console=console, only=only)
        for section in SECTIONS:
            await section.measure(bench)
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench queue", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a picture in about three minutes: one round, fewer cases")
    parser.add_argument("--tiny", action="store_true", help="whether everything runs; its numbers mean nothing")
    parser.add_argument("--only", nargs="+", default=(), metavar="TEXT", help="only what has one of these in its name")
    return parser
