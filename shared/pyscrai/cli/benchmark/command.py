"""The command line of `pyscrai benchmark`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyscrai.cli.options import Engines, Where, common, limit, makes_sense, pass_talk, place, prices
from pyscrai.cli.talk import OK, Talk

if TYPE_CHECKING:
    from pyscrai.cli.benchmark.figures import Figures
    from pyscrai.sdk.scenario import Scenario

EPILOG = """\b
Examples:
  pyscrai benchmark negotiation
  pyscrai benchmark negotiation dialogue --latency 1 --runs 5
  pyscrai benchmark my/scenario --model gpt-4o-mini --limit 1.00 --runs 1

\b
It starts PostgreSQL, an API and engines of its own, plays one turn to warm
up, then the runs that are measured. Turn times are those of the database's
clock. Memory is the highest of all processes together; on Linux pages that
they share are counted once.
"""


@click.command(epilog=EPILOG)
@click.argument("scenarios", metavar="SCENARIO…", nargs=-1, required=True)
@click.option("--turns", "--end-turn", "turns", type=click.IntRange(1, 10_000), help="How many turns to play.")
@click.option("--runs", type=click.IntRange(1, 1000), default=3, show_default=True, help="How often to play it.")
@click.option("--latency", type=click.FloatRange(0, 60), default=0.0, help="Seconds that the rehearsal model takes.")
@click.option("--model", metavar="MODEL", default="rehearsal", show_default=True, help="Which model answers.")
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), default=0, help="Decides all chance in the runs (0).")
@limit
@prices
@click.option("--engines", type=Engines(), default="actor=1,narrator=1,analyst=1", help="Engines to start.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Write the table into a page, between its marks.",
)
@click.option("--mark", default="benchmark", show_default=True, help="The marks: <!-- MARK --> and <!-- /MARK -->.")
@place
@common
@pass_talk
def benchmark(
    talk: Talk,
    /,
    scenarios: tuple[str, ...],
    where: Where,
    engines: Mapping[str, int],
    into: Path | None,
    mark: str,
    **options: Any,
) -> int:
    """Measure turn time, memory, cost per turn and start-up of scenarios: files, folders or shipped examples."""
    from pyscrai.cli.scenarios import find_scenario
    from pyscrai.cli.session import run_async
    from pyscrai.sdk.errors import ScenarioNotFound

    if options["latency"] and options["model"] != "rehearsal":
        raise click.UsageError("--latency delays the rehearsal model; another has a latency of its own")
    found: list[Scenario] = []
    for wanted in scenarios:
        one = find_scenario(wanted)
        if isinstance(one, str):
            raise ScenarioNotFound(f"there is no file, folder or example {wanted!r}")
        found.append(one)
    return run_async(lambda: _benchmark(talk, found, where, engines, (into, mark), **options))


async def _benchmark(
    talk: Talk,
    scenarios: list[Scenario],
    where: Where,
    engines: Mapping[str, int],
    page_and_mark: tuple[Path | None, str],
    *,
    model: str,
    latency: float,
    runs: int,
    turns: int | None,
    prices: Any,
    **options: Any,
) -> int:
    from pyscrai.cli.benchmark import page
    from pyscrai.cli.benchmark.figures import machine
    from pyscrai.cli.benchmark.measure import Plan, delayed_rehearsal, measure
    from pyscrai.sdk.choices import choices_of

    measured: list[Figures] = []
    before = machine()
    with delayed_rehearsal(latency) as delayed, makes_sense():
        choices = choices_of(
            end_turn=turns, credit_limit=options["limit"], seed=options["seed"], prices=dict(prices),
            model=delayed if latency else model,
        )  # fmt: skip
        for scenario in scenarios:
            plan = Plan(scenario=scenario, choices=choices, model=model, latency=latency, runs=runs)
            measured.append(await measure(plan, where, engines, talk))
            if not talk.json:
                page.show(talk.paper, measured[-1])
    if talk.json:
        talk.result({"machine": before, "results": [figures.as_json() for figures in measured]})
    into, mark = page_and_mark
    if into is not None:
        page.write_into(into, mark, before, measured)
        talk.say(f"Written into {into}", "green")
    return OK
