"""Engines and the service die with -9 between reservation, call and settlement: no limit is exceeded at any moment, and
in the end ours differs from the provider's bill by nothing but the calls that are marked as assumed."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from tests.acceptance.fleet import Fleet, fleet, until
from tests.acceptance.test_kills import query
from tests.conftest import INVARIANTS, named_queries

from pyscrai.domain.scenario import Scenario
from pyscrai_mock_provider import MockProvider, mock_provider

QUICK = {"PYSCRAI_LEASE_SECONDS": "2", "PYSCRAI_HEARTBEAT_SECONDS": "0.5", "PYSCRAI_RETRY_BASE": "0.1"}
RUNS, SEATS, TURNS = 3, 8, 3
KILLS = {"reserved": 10, "answered": 6, "api": 3}
"""While calls are under way; as soon as the provider has answered one; the service itself."""
GROUP = Decimal("0.06")
COST = Decimal("0.00014")
"""Of every call: 100 tokens in and 20 out, at 1 and 2 USD per million."""
ALWAYS = ("limits_of_runs", "limits_of_purses", "purses_hold_what_is_taken", "reserved_of_runs", "spent_of_runs")
"""What holds in each committed state."""
CALLS = """
SELECT count(*) FILTER (WHERE state = 1)::int AS open, count(*) FILTER (WHERE state = 2)::int AS settled,
  count(*) FILTER (WHERE state = 3)::int AS assumed, coalesce(sum(cost) FILTER (WHERE state = 3), 0) AS assumed_cost,
  count(*) FILTER (WHERE state = 2 AND cost <> $1)::int AS otherwise, sum(cost) AS cost
FROM calls
"""


def crowd() -> dict[str, Any]:
    document = {"name": "crowd", "world": {"text": "A crowd."}, "seats": {f"s{n}": {} for n in range(SEATS)}}
    schedule = {"turns": TURNS, "phases": ["decision"]}
    return Scenario.model_validate({**document, "schedule": schedule}).content()


class Watch(threading.Thread):
    """Looks at the money over and over, on a connection of its own, and keeps what is wrong."""

    def __init__(self, dsn: str) -> None:
        super().__init__(daemon=True)
        self._dsn = dsn
        self._over = threading.Event()
        self.looks = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        told = named_queries(INVARIANTS.read_text("utf-8"))
        connection = await asyncpg.connect(self._dsn)
        try:
            while not self._over.is_set():
                for name in ALWAYS:
                    self.wrong += [f"{name}: {dict(row)}" for row in await connection.fetch(told[name])]
                self.looks += 1
                self._over.wait(0.05)
        finally:
            await connection.close()

    def end(self) -> None:
        self._over.set()
        self.join()


@contextmanager
def watched(dsn: str) -> Iterator[Watch]:
    watch = Watch(dsn)
    watch.start()
    try:
        yield watch
    finally:
        watch.end()


def kill_engine(machines: Fleet, chance: random.Random) -> None:
    name = chance.choice([name for name in machines.processes if name.startswith("actor")])
    machines.kill(name)
    machines.start(name)


def kill_while_called(machines: Fleet, provider: MockProvider, what: str, chance: random.Random) -> None:
    """As soon as something is reserved, or the provider has just answered; nothing where it is all over before."""
    lines = len(provider.bill()["lines"])

    def due() -> bool:
        if what == "answered":
            return len(provider.bill()["lines"]) > lines or over(machines)
        return bool(query(machines.dsn, "SELECT FROM calls WHERE state = 1 LIMIT 1")) or over(machines)

    until(what, due)
    if what == "api":
        machines.kill("api")
        machines.start("api")
        until("the API", machines.ready)
    else:
        kill_engine(machines, chance)


def over(machines: Fleet) -> bool:
    return not query(machines.dsn, "SELECT FROM runs WHERE status = 'running' LIMIT 1")


@pytest.mark.timeout(600)
def test_whatever_dies_no_limit_is_exceeded_and_the_bills_agree(dsn: str, tmp_path: Path) -> None:
    chance = random.Random(5)
    script = tmp_path / "script.yaml"
    answer = {"reasoning": "So it is.", "goals": [], "action": "I wait."}
    script.write_text(
        yaml.safe_dump({"usage": {"input": 100, "output": 20}, "answers": [{"when": {}, "answer": answer}]})
    )
    kinds = [kind for kind, times in KILLS.items() for _ in range(times)]
    chance.shuffle(kinds)
    with (
        mock_provider(script=str(script), latency="lognormal:0.3,0.5", price="1,2", seed=3) as provider,
        fleet(dsn, tmp_path / "fleet", engines=2, **QUICK) as machines,
        watched(dsn) as watch,
    ):
        machines.put("/limits/group/pilot", {"limit": f"{GROUP:f}"})
        machines.put("/limits/day", {"limit": f"{2 * GROUP:f}"})
        prices = {provider.model: {"input": "1", "output": "2"}}
        choices = {"model": provider.model, "prices": prices, "limit": "0.05", "group": "pilot", "max_losses": 1000}
        runs = [machines.play(crowd(), **choices, seed=number) for number in range(RUNS)]
        for kind in kinds:
            kill_while_called(machines, provider, kind, chance)
        ended = [finished(machines, run) for run in runs]
        (paid,) = query(dsn, CALLS, COST)
        bill = provider.bill()["totals"]
        taken = {row["scope"]: row["taken"] for row in query(dsn, "SELECT scope, taken FROM purses")}
    assert not watch.wrong, watch.wrong[:5]
    assert watch.looks > len(kinds)
    assert [run["status"] for run in ended] == ["completed"] * RUNS
    assert (paid["open"], paid["otherwise"]) == (0, 0)
    assert paid["assumed"] > 0, "nobody died in the middle of a call"
    # Ours is the settled calls, which the provider charged as we did, and the assumed ones; of those it has made some.
    made = Decimal(bill["cost"]) / COST
    assert paid["cost"] == paid["settled"] * COST + paid["assumed_cost"]
    assert paid["settled"] <= made <= paid["settled"] + paid["assumed"]
    assert paid["cost"] - Decimal(bill["cost"]) == paid["assumed_cost"] - (made - paid["settled"]) * COST >= 0
    assert set(taken.values()) == {paid["cost"]}, "every limit has taken what was paid, and nothing is held back"


def finished(machines: Fleet, run: dict[str, Any]) -> dict[str, Any]:
    """The run at its end: a person raises the limits that stop it, as often as that happens."""
    for number in range(1, 50):
        found = machines.ended(run)
        if found["status"] != "paused":
            return found
        assert found["reason"]["code"] == "out_of_money", found
        machines.put("/limits/group/pilot", {"limit": f"{(1 + number) * GROUP:f}"})
        machines.put("/limits/day", {"limit": f"{(2 + number) * GROUP:f}"})
        if found["reason"]["scope"] == "run":
            machines.post(f"/runs/{run['id']}/resume", {"limit": f"{Decimal(found['limit']) + GROUP:f}"})
    raise AssertionError(f"{run['label']} does not end")
