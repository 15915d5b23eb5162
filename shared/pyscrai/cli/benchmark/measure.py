"""Playing a scenario several times with a clock."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from pyscrai.cli.benchmark.figures import Figures, cost_per_turn, percentile, turn_seconds
from pyscrai.cli.benchmark.memory import Peaks, watched
from pyscrai.cli.options import Where
from pyscrai.cli.session import Session, session
from pyscrai.cli.talk import Talk
from pyscrai.domain.choices import Choices
from pyscrai.sdk.errors import RunStopped
from pyscrai.sdk.follow import follow
from pyscrai.sdk.result import RunResult, result_of
from pyscrai.sdk.runner import start
from pyscrai.sdk.scenario import Scenario

MEGABYTE = 1_000_000
STARTS = 3
SECONDS_TO_CANCEL = 5.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure."""

    scenario: Scenario
    choices: Choices
    model: str
    latency: float
    runs: int


async def measure(plan: Plan, where: Where, engines: Mapping[str, int], talk: Talk) -> Figures:
    """Play it once to warm everything up, then `runs` times. Raises RunStopped where a run does not end."""
    started = await command_seconds()
    began = time.monotonic()
    async with session(where, talk, engines=engines, alone=where.api_url is None) as at, _memory(at, where) as peaks:
        talk.say(f"{plan.scenario.title}: warming up …")
        warm = plan.choices.model_copy(update={"turns": 1})
        await _played(at, plan.scenario, warm)
        first_turn = time.monotonic() - began
        results: list[RunResult] = []
        spans: list[float] = []
        for number in range(1, plan.runs + 1):
            talk.say(f"{plan.scenario.title}: run {number} of {plan.runs} …")
            start_of_run = time.monotonic()
            results.append(await _played(at, plan.scenario, plan.choices))
            spans.append(time.monotonic() - start_of_run)
    times = [seconds for result in results for seconds in turn_seconds(result.log)]
    document = plan.scenario.document
    return Figures(
        scenario=plan.scenario.name,
        policy=document.schedule.policy,
        seats=len(document.seats),
        metrics=len(document.metrics),
        checks=len(document.checks),
        model=plan.model,
        latency=plan.latency,
        runs=plan.runs,
        turns=results[0].turns,
        turn_average=statistics.fmean(times),
        turn_p95=percentile(times, 0.95),
        turn_min=min(times),
        turn_max=max(times),
        calls_per_turn=sum(result.model_calls for result in results) / len(times),
        cost_per_turn=cost_per_turn(results),
        play=statistics.fmean(spans),
        first_turn=first_turn,
        start_command=started,
        start_api=at.start_up,
        memory=peaks.total / MEGABYTE if peaks else None,
        memory_of={kind: size / MEGABYTE for kind, size in sorted(peaks.by_kind.items())} if peaks else {},
        log_digest=results[0].log_digest,
    )


async def command_seconds() -> float:
    """How long `pyscrai --version` takes: the median of three."""
    times: list[float] = []
    for _ in range(STARTS):
        began = time.monotonic()
        await anyio.run_process([sys.executable, "-m", "pyscrai.cli", "--version"])
        times.append(time.monotonic() - began)
    return statistics.median(times)


@contextmanager
def delayed_rehearsal(latency: float) -> Iterator[str]:
    """The name of a model that says what the rehearsal model says, after so many seconds."""
    with tempfile.TemporaryDirectory(prefix="pyscrai-benchmark-") as folder:
        script = Path(folder) / "rehearsal.json"
        script.write_text(json.dumps({"default": {"latency": latency, "rehearse": True}}))
        yield f"scripted:{script}"


async def _played(at: Session, scenario: Scenario, choices: Choices) -> RunResult:
    """A run played to its end; one that is left early is cancelled. Raises RunStopped."""
    run = await start(at.api, scenario, choices, pool=at.place.pool)
    try:
        async with aclosing(follow(at.api, run.id)) as entries:
            log = [entry async for entry in entries]
    except BaseException:
        with anyio.CancelScope(shield=True), anyio.move_on_after(SECONDS_TO_CANCEL):
            await at.api.cancel(run.id)
        raise
    result = result_of(await at.api.run(run.id), log)
    if not result.completed:
        raise RunStopped(result)
    return result


@asynccontextmanager
async def _memory(at: Session, where: Where) -> AsyncIterator[Peaks | None]:
    """Peaks of what we have started; None where the API is somebody else's."""
    if not at.place.own:
        yield None
        return
    async with watched(_database_server(where)) as peaks:
        yield peaks


def _database_server(where: Where) -> int | None:
    """The process id of the embedded database's server; None where the database is another one."""
    from pyscrai.embedded.folder import Folder
    from pyscrai.machine.files import data_home

    if where.database_url or os.environ.get("PYSCRAI_DATABASE_URL"):
        return None
    state = Folder(where.data or data_home()).state()
    return None if state is None else state.server
