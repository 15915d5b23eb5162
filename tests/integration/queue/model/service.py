"""The service that the model is compared with: HTTP in this process, real PostgreSQL, its loops when a test says so.

Time passes by moving every time that is stored into the past. So nothing sleeps, and the service has no hook for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast
from unittest.mock import patch
from uuid import UUID

import httpx
from tests.integration.queue.model.model import RETRY, Event

from pyscrai_api import invariants
from pyscrai_api.app import create_app
from pyscrai_api.deps import Deps, open_deps
from pyscrai_api.loops.engines import Silence
from pyscrai_api.loops.promote import Promote
from pyscrai_api.loops.sweep import Sweep
from pyscrai_api.queue.claimer import Poll
from pyscrai_api.queue.claimers import Claimers
from pyscrai_api.settings import Settings

T = TypeVar("T")
LONG_AGO = 1e9
TIMES = {
    "queue": ("run_at", "leased_at", "lease_until"),
    "attempts": ("leased_at", "ended_at"),
    "outcomes": ("leased_at", "finished_at"),
    "engines": ("last_heartbeat",),
}
_ROWS = """
SELECT q.id, q.run_id::text AS run, q.lane, q.event_type AS type, q.rank, q.pass AS place, q.state,
  q.lease_no AS number, q.engine_id::text AS engine, q.lost_engine::text AS lost_by,
  q.claims, q.failures, q.losses, q.handbacks AS backs, 0 AS closing,
  q.max_failures AS most_failures, q.max_losses AS most_losses,
  CASE WHEN q.state = 1 THEN extract(epoch FROM q.run_at - now())::float8 END AS run_at,
  extract(epoch FROM q.leased_at - now())::float8 AS leased_at,
  extract(epoch FROM q.lease_until - now())::float8 AS until
FROM queue q
"""
_OUTCOMES = """
SELECT event_id AS id, 10 + state AS state, lease_no AS number, engine_id::text AS engine, claims, failures, losses,
  handbacks AS backs, closing FROM outcomes
"""
_ATTEMPTS = "SELECT event_id, lease_no, kind, engine_id::text AS engine FROM attempts"
_RUNS = "SELECT id::text AS run, status, step, open, digest FROM runs"
_STEP = "SELECT id, event_type, seat, turn FROM events WHERE run_id = $1::uuid AND step = $2 ORDER BY ordinal"


class FreshClaimers:
    """Claimers that remember nothing of the last claim, like those of a process that has just started; or, while
    `remembering`, those that the service has, with their mark."""

    def __init__(self, kept: Claimers, deps: Deps) -> None:
        self._kept = kept
        self._deps = deps
        self.remembering = False

    def claim(self, *args: Any, **more: Any) -> AbstractAsyncContextManager[Poll]:
        fresh = Claimers(self._deps.pool, self._deps.queue.delivery.give_back, self._deps.queue.pauses)
        return (self._kept if self.remembering else fresh).claim(*args, **more)

    def let_go(self, engine_id: UUID) -> None:
        """Nothing waits here from one request to the next, but for what the service's own have."""
        self._kept.let_go(engine_id)


@dataclass
class Service:
    """Synchronous, because Hypothesis is. `clock`: seconds on the monotonic clock of the sweep."""

    runner: asyncio.Runner
    deps: Deps
    http: httpx.AsyncClient
    claimers: FreshClaimers
    sweeper: Sweep
    clock: list[float]

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Any answer but one that says that the service is broken."""
        answer = self.do(self.http.request(method, f"/api/v1{path}", json=body))
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def get(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def fetch(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self.do(self.deps.pool.fetch(statement, *arguments))]

    def execute(self, statement: str, *arguments: Any) -> None:
        self.do(self.deps.pool.execute(statement, *arguments))

    # ── time and loops ──

    def pass_time(self, seconds: float) -> None:
        back = f"interval '{seconds} s'"
        for table, columns in TIMES.items():
            self.execute(f"UPDATE {table} SET " + ", ".join(f"{name} = {name} - {back}" for name in columns))
        self.deps.queue.engines.claimants.forget()

    def promote(self) -> None:
        self.do(Promote(pool=self.deps.pool, bell=self.deps.bell).run_once())

    def sweep(self) -> None:
        self.clock[0] += 1
        self.do(self.sweeper.run_once())

    def sweep_these(self, events: Iterable[Event]) -> None:
        """As if the sweep had found that all these leases ran out."""
        found: dict[str | None, list[int]] = {}
        for event in events:
            found.setdefault(event.run, []).append(event.id)
        for run, ids in found.items():
            queue, runs = self.deps.queue, self.deps.run_finisher
            self.do(queue.loose.sweep(ids) if run is None else runs.sweep_run(UUID(run), ids))

    def move(self) -> None:
        """What is paused is held, and what is not any more is let go."""
        self.do(self.deps.queue.pauses.move())

    def silence(self) -> None:
        self.do(Silence(pool=self.deps.pool).run_once())
        self.deps.queue.engines.claimants.forget()  # as a second later

    # ── looking ──

    def rows(self) -> dict[int, dict[str, Any]]:
        """Every event, live or over, as far as the model says something of it."""
        return {row["id"]: row for query in (_ROWS, _OUTCOMES) for row in self.fetch(query)}

    def attempts(self) -> dict[tuple[int, int], tuple[int, str]]:
        return {(r["event_id"], r["lease_no"]): (r["kind"], r["engine"]) for r in self.fetch(_ATTEMPTS)}

    def runs(self) -> dict[str, dict[str, Any]]:
        return {row.pop("run"): row for row in self.fetch(_RUNS)}

    def step(self, run: str, step: int) -> list[dict[str, Any]]:
        return self.fetch(_STEP, run, step)

    def broken(self) -> list[str]:
        """The invariants that do not hold."""
        queries = invariants.queries().items()
        each = (f"(SELECT '{name}' AS name FROM ({query}) AS q LIMIT 1)" for name, query in queries)
        return [row["name"] for row in self.fetch(" UNION ALL ".join(each))]

    def empty(self) -> None:
        """As new: nothing happened yet."""
        self.execute("TRUNCATE events, queue, outcomes, attempts, runs, engines, budgets, purses, pauses CASCADE")
        self.do(self.deps.queue.pauses.refresh())
        self.deps.runs.forget()


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Deps, httpx.AsyncClient, FreshClaimers]]:
    async with open_deps(settings) as deps:
        claimers = FreshClaimers(deps.queue.claimers, deps)
        seen = replace(deps, queue=replace(deps.queue, claimers=cast(Claimers, claimers)))
        transport = httpx.ASGITransport(app=create_app(settings, seen), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as http:
            yield deps, http, claimers


@contextmanager
def opened(dsn: str) -> Iterator[Service]:
    """A service without loops of its own, which remembers nothing of other tests."""
    settings = Settings(database_url=dsn, runs_at_once=None, retry_base=RETRY)
    clock = [0.0]
    # Runs of one request are finished side by side otherwise: which of them sees what the other one has enqueued, and
    # so where their next events stand, is chance that the model cannot know.
    with asyncio.Runner() as runner, patch("pyscrai_api.queue.together.AT_ONCE", 1):
        opening = _opened(settings)
        deps, http, claimers = runner.run(opening.__aenter__())
        try:
            sweep = Sweep(
                pool=deps.pool, loose=deps.queue.loose, runs=deps.run_finisher, every=2 * LONG_AGO,
                clock=lambda: clock[0],
            )  # fmt: skip
            service = Service(runner, deps, http, claimers, sweep, clock)
            service.sweep()  # it has seen the database for long from now on, and waits for nobody any more
            clock[0] += LONG_AGO
            yield service
        finally:
            runner.run(opening.__aexit__(None, None, None))
