"""`python -m bench queue`: measure, print, and write the page."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.queue import drains, engines, enqueues, fairness, histories, latencies, page, profiles, snapshots, wholes
from bench.queue.bench import FULL, QUICK, TINY, Bench, Sizes
from bench.queue.facts import facts
from bench.queue.postgres import postgres
from bench.queue.results import Results
from bench.queue.tables import NOT_MEASURED, all_tables

ROOT = Path(__file__).parents[2]
RAW = ROOT / "build" / "bench"
SECTIONS = (drains, enqueues, latencies, histories, snapshots, engines, fairness, wholes, profiles)


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    given = _parser().parse_args(arguments)
    console = Console(highlight=False)
    if given.page_from is not None:
        page.write(Results.read(given.page_from))
        return 0
    full = not (given.tiny or given.quick)
    sizes = FULL if full else TINY if given.tiny else QUICK
    if given.rounds is not None:
        sizes = replace(sizes, rounds=given.rounds)
    file = RAW / f"queue-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.jsonl"
    found = asyncio.run(measured(console, sizes, given.only, file))
    shown(console, found)
    console.print(f"\nMeasurements: {file.relative_to(ROOT)}")
    if given.write or (full and not given.only):
        page.write(found)
        console.print(f"Written: {page.PAGE.relative_to(ROOT)}")
    return 0


async def measured(console: Console, sizes: Sizes, only: Sequence[str], file: Path | None) -> Results:
    """All sections that were asked for, on a server that is made for them. `file`: where measurements are noted."""
    results = Results(file)
    async with postgres() as server:
        results.describe(await facts(server))
        bench = Bench(postgres=server, results=results, sizes=sizes, console=console, only=only)
        for section in SECTIONS:
            await section.measure(bench)
    return results


def shown(console: Console, found: Results) -> None:
    """The targets that were measured, on the terminal; the other tables go to the page."""
    table = all_tables(found)[0]
    drawn = Table(*table.columns, title=table.title, box=None, pad_edge=False, title_justify="left")
    for row in [row for row in table.rows if row[2] != NOT_MEASURED]:
        drawn.add_row(*(Text(cell.strip("*")) for cell in row))
    console.print()
    console.print(drawn)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench queue", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a picture in about three minutes: one round, fewer cases")
    parser.add_argument("--tiny", action="store_true", help="whether everything runs; its numbers mean nothing")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often everything takes its turn; 3 without it")
    parser.add_argument("--only", nargs="+", default=(), metavar="TEXT", help="only what has one of these in its name")
    parser.add_argument("--write", action="store_true", help="write the page also after a part")
    parser.add_argument("--page-from", type=Path, metavar="FILE", help="measure nothing: the page from an earlier run")
    return parser
