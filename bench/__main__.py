"""`python -m bench [NAME …]`: all benchmarks, or those named. `queue` takes options: `python -m bench queue --help`."""

from __future__ import annotations

import asyncio
import importlib
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

NAMES = ("startup", "makespan", "many", "long")
QUEUE = "queue"


def main(wanted: list[str]) -> int:
    if wanted[:1] == [QUEUE]:
        from bench.queue.command import main as queue

        return queue(wanted[1:])
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join((*NAMES, QUEUE))}", file=sys.stderr)
        return 2
    console = Console()
    for name in wanted or NAMES:
        module = importlib.import_module(f"bench.{name}")
        console.print(f"\n[bold]{module.TITLE}[/bold]")
        table = Table("what", "median", "target", "note", box=None, pad_edge=False)
        for row in asyncio.run(module.run()):
            table.add_row(*map(Text, row))  # as it is: square brackets are no markup here
        console.print(table)
    return main([QUEUE]) if not wanted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
