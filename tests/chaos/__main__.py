"""`python -m tests.chaos --minutes 30 --seed 7`: the suite, its report, and exit code 0 only without a violation."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from tests.chaos.load import LoadPlan
from tests.chaos.plays import NAMES, PlaysPlan
from tests.chaos.report import facts_of, summary, write
from tests.chaos.schedule import LONG, lasting, storm
from tests.chaos.suite import play
from tests.chaos.world import World, WorldConfig, world


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Play the queue under fire.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long faults go on")
    parser.add_argument("--seed", type=int, default=None, help="what everything is drawn from; another each time")
    parser.add_argument("--rate", type=float, default=170.0, help="light events a second, if engines keep up")
    parser.add_argument("--runs", type=int, default=3, help="runs that are under way together")
    parser.add_argument("--seeds", type=int, default=2, help="seeds of each scenario")
    parser.add_argument("--scenarios", default=",".join(NAMES), help="which of templates/scenarios are played")
    parser.add_argument("--light-engines", type=int, default=8, help="engines of light events")
    parser.add_argument("--report", type=Path, default=None, help="a page between whose markers the report is written")
    parser.add_argument("--json", type=Path, default=None, help="a file for all the figures")
    parser.add_argument("--keep", type=Path, default=None, help="a folder for the logs of all processes")
    return parser.parse_args()


async def run(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Play it once; answers the facts."""
    disk = 1536 + round(64 * options.minutes)
    config = WorldConfig(seed=seed, light_engines=options.light_engines, keep_logs=options.keep, disk_mb=disk)
    plan = lasting(LONG, 60.0 * options.minutes)
    async with world(config) as made:
        for note in made.notes:
            say(note)
        judged = await play(
            made,
            lambda: storm(made, plan),
            light=LoadPlan(seed=seed, lease_seconds=config.lease_seconds, rate=options.rate),
            plays=PlaysPlan(
                seed=seed, at_once=options.runs, seeds=options.seeds, names=tuple(options.scenarios.split(","))
            ),
            say=say,
            told=lambda: kills_so_far(made),
        )
        return facts_of(made, judged, seed, options.minutes)


def kills_so_far(made: World) -> str:
    """The end of a line of progress."""
    kills = made.ledger.summary()["kills"]
    told = ", ".join(f"{number} {kind}" for kind, number in kills.items() if kind != "all" and number)
    return (
        f"; killed {kills['all']}" + (f": {told}" if told else "") + f"; gone by themselves {len(made.ledger.findings)}"
    )


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    options = arguments()
    seed = int(time.time()) % 1_000_000 if options.seed is None else options.seed
    say(f"seed {seed}, {options.minutes:g} minutes")
    facts = uvloop.run(run(options, seed))
    say(summary(facts))
    if options.json is not None:
        options.json.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
    if options.report is not None:
        write(options.report, facts)
    return 1 if facts["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
