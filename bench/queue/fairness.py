"""Section `fairness`: a small run comes behind a huge one, of the same owner or of another one."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from bench.queue.api import api
from bench.queue.bench import Bench, Measure
from bench.queue.ground import Ground
from bench.queue.processes import Workers, python
from bench.queue.results import Record
from bench.queue.systems.ours import Ours
from pyscrai.client.http import Http
from pyscrai.domain.scenario import Scenario
from pyscrai_api.queue.states import Live
from pyscrai_api.queue.store import NewRow, enqueue_step

SECTION = "fairness"
SEATS, REPEATS = 10, 5
ENGINES, SLOTS, LATENCY = 2, 16, 0.1
OWNERS = {"run": "two runs of one owner", "owner": "runs of two owners"}
"""What is fair to whom (`fair_by`)."""
MOST = 60.0
DOCUMENT = {
    "name": "bench",
    "world": {"text": "A long table."},
    "seats": {f"actor-{i}": {"goals": ["speak"]} for i in range(SEATS)},
    "schedule": {"turns": 1, "phases": ["decision"]},
}
RESULT = {"reasoning": "It is time.", "goals": ["speak"], "action": "I ask for a written commitment."}
_TOOK = "SELECT extract(epoch FROM ended_at - created_at)::float8 FROM runs WHERE id = $1 AND ended_at IS NOT NULL"
_MODEL_ROW = """
SELECT e.event_type, e.seat, e.turn, e.phase, e.payload, e.priority, e.step, q.lane
FROM events e JOIN queue q ON q.id = e.id WHERE e.run_id = $1 ORDER BY e.ordinal LIMIT 1
"""


@dataclass(frozen=True)
class Stage:
    """The API with engines, and how runs are started on it."""

    http: Http
    connection: asyncpg.Connection

    async def start(self) -> UUID:
        """A run of SEATS events, by its id."""
        made = await self.http.request("POST", "/runs", json={"scenario": "bench", "choices": {"model": "rehearsal"}})
        return UUID(made["id"])

    async def played(self) -> float:
        """Seconds that such a run takes, by the database's clock."""
        run = await self.start()
        deadline = asyncio.get_running_loop().time() + MOST
        while (took := await self.connection.fetchval(_TOOK, run)) is None:
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"the run did not end in {MOST:.0f} s")
            await asyncio.sleep(0.005)
        return float(took)

    async def enlarge(self, run: UUID, owner: str, number: int) -> None:
        """Let a run's open step have so many more events, as a scenario of so many seats would have made them."""
        async with self.connection.transaction():
            at = await self.connection.fetchrow("SELECT step, last_pass FROM runs WHERE id = $1 FOR UPDATE", run)
            like = await self.connection.fetchrow(_MODEL_ROW, run)
            rows = [
                NewRow(
                    ordinal=1000 + i,
                    event_type=like["event_type"],
                    lane=like["lane"],
                    seat=like["seat"],
                    turn=like["turn"],
                    phase=like["phase"],
                    payload=like["payload"],
                    priority=like["priority"],
                    state=Live.READY,
                )
                for i in range(number)
            ]
            _, last, _ = await enqueue_step(
                self.connection, run, rows, step=at["step"], last_pass=at["last_pass"], owner=owner,
                max_failures=3, max_losses=10,
            )  # fmt: skip
            await self.connection.execute(
                "UPDATE runs SET open = open + $2, last_pass = $3, owner = $4 WHERE id = $1", run, number, last, owner
            )


async def measure(bench: Bench) -> None:
    """For each kind of fairness: the small run alone, then behind the huge one."""
    for fair_by, name in OWNERS.items():
        if bench.wants(SECTION, f"{name}, alone") or bench.wants(SECTION, f"{name}, behind"):
            await staged(bench, fair_by, name)


async def staged(bench: Bench, fair_by: str, name: str) -> None:
    """One kind of fairness, on an API with that setting."""
    ground = Ground(bench.postgres, Ours(), f"fairness {fair_by}")
    dsn = await ground.dsn()
    settings = {"PYSCRAI_FAIR_BY": fair_by, "PYSCRAI_RUNS_AT_ONCE": "none"}
    engine = {"concurrency": SLOTS, "engines": 1, "latency": LATENCY, "result": RESULT, "lane": "actor"}
    connection = await asyncpg.connect(dsn)
    try:
        with ExitStack() as stack:
            running = stack.enter_context(api(dsn, **settings))
            options = [{**engine, "url": running.url}] * ENGINES
            workers = stack.enter_context(Workers(python("bench.queue.work.runtime"), options))
            workers.wait_ready()
            workers.go()
            async with Http(running.url) as http:
                scenario = Scenario.model_validate(DOCUMENT).content()
                await http.request("POST", "/templates/scenarios", json=json.loads(json.dumps(scenario)))
                stage = Stage(http, connection)
                await stage.played()
                await repeated(bench, f"{name}, alone", stage)
                huge = await stage.start()
                await stage.enlarge(huge, "local" if fair_by == "run" else "another", bench.sizes.behind)
                await repeated(bench, f"{name}, behind", stage)
    finally:
        await connection.close()
        await ground.drop()


async def repeated(bench: Bench, case: str, stage: Stage) -> None:
    """The small run, some times."""

    async def once() -> Record:
        return {"seconds": await stage.played()}

    measure: Measure = once
    for number in range(1 if bench.sizes.share < 0.1 else REPEATS):
        await bench.once(SECTION, case, number, measure)
