"""Fifty engines, their provider, people who change limits, and a database whose connections die: all at once.

Nothing here knows how the money is kept. Engines ask for reservations, the provider counts what it served in a book of
its own, and whatever may be lost on the way is lost now and then.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
from tests.conftest import INVARIANTS, named_queries
from tests.integration.money import clock
from tests.integration.runs.desk import crowd, reply

from pyscrai.contract.events import Usage
from pyscrai.domain.choices import Price, Rates, Tier
from pyscrai.domain.money import cost
from pyscrai_api.deps import Deps
from pyscrai_api.loops.promote import Promote

Name = tuple[int, int, int]
MODELS = [f"openai:m{n}" for n in range(8)]
GROUPS = [None, "alpha", "beta"]
PEOPLE = ["local", "ada"]
TOKENS = 2000
RUNS = 30
SEATS = 25
LIVE = "status IN ('running', 'paused', 'blocked')"
SWEPT = "SELECT id, run_id FROM queue WHERE state = 3 AND lease_until < now()"
LEFT = """
SELECT c.run_id, c.event_id, c.lease_no FROM calls c LEFT JOIN queue q ON q.id = c.event_id
WHERE c.state = 1 AND (q.id IS NULL OR q.lease_no <> c.lease_no OR q.state <> 3)
"""
OVER = """
SELECT id::text, spent, reserved, limit_usd FROM runs r WHERE spent + reserved > limit_usd
  AND NOT EXISTS (SELECT FROM calls c WHERE c.run_id = r.id AND c.cost > c.reserved)
UNION ALL SELECT owner, spent, reserved, limit_usd FROM budgets b WHERE spent + reserved > limit_usd
  AND NOT EXISTS (SELECT FROM calls c WHERE c.owner = b.owner AND c.run_id IS NULL AND c.cost > c.reserved)
"""
KILL = """
SELECT pg_terminate_backend(pid) FROM (
  SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pyscrai_api'
    AND xact_start IS NOT NULL AND query NOT ILIKE 'listen%' ORDER BY random() LIMIT 1
) victim
"""


def prices(dice: random.Random) -> dict[str, Price]:
    """Prices with every part that a price may have."""
    return {model: _price(dice) for model in MODELS}


def _price(dice: random.Random) -> Price:
    def rate() -> Decimal:
        return Decimal(dice.randint(0, 60_000)) / 1000

    def rates() -> dict[str, Any]:
        parts = ("cached_input", "cache_write", "reasoning")
        return {"input": rate(), "output": rate(), **{part: dice.choice([None, rate()]) for part in parts}}

    request = dice.choice([Decimal(0), Decimal(dice.randint(1, 999)) / 100_000])
    tiers = tuple(Tier(above=above, **rates()) for above in sorted(dice.sample(range(1, TOKENS), dice.randint(0, 2))))
    return Price(request=request, tiers=tiers, **Rates(**rates()).model_dump())


@dataclass
class Served:
    """What the provider did for one call. `usage` None: it never came there."""

    model: str
    usage: Usage | None


@dataclass
class Market:
    """`wanted`: how many calls are to be granted before everybody stops."""

    houses: list[tuple[httpx.AsyncClient, Deps]]
    others: list[httpx.AsyncClient]
    watch: asyncpg.Pool
    prices: dict[str, Price]
    dice: random.Random
    wanted: int
    book: dict[Name, Served] = field(default_factory=dict)
    bounds: dict[Name, Decimal] = field(default_factory=dict)
    late: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    invariants: dict[str, str] = field(default_factory=lambda: named_queries(INVARIANTS.read_text("utf-8")))
    _ticks: int = 0
    _last: Counter[str] = field(default_factory=Counter)
    _scenario: str = ""
    _chores: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def done(self) -> bool:
        return len(self.bounds) >= self.wanted

    async def ask(self, method: str, path: str, body: Any = None, http: httpx.AsyncClient | None = None) -> Any:
        """As a client asks: again when the service says that its database was away. A refusal is None."""
        http = http or self.dice.choice(self.houses)[0]
        for _ in range(50):
            answer = await http.request(method, f"/api/v1{path}", json=body)
            if answer.status_code != 503:
                break
            self.seen["asked again"] += 1
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.is_success and answer.content else None

    async def open(self) -> None:
        """A scenario, and the first runs."""
        content = crowd(SEATS, turns=2)
        await self.ask("POST", "/templates/scenarios", content)
        await self.ask("PATCH", f"/templates/scenarios/{content['name']}", {"visibility": "shared"})
        for http in self.others:
            await self.ask("POST", "/templates/scenarios", {**content, "name": "crowd"}, http)
        self._scenario = content["name"]
        for http in (self.houses[0][0], *self.others):
            for path in ("group/alpha", "group/beta", "day", "week"):
                await self.ask("PUT", f"/limits/{path}", {"limit": "60"}, http)
        await self.ask("PUT", "/limits/installation", {"limit": "100"}, self.houses[0][0])
        for _ in range(RUNS):
            await self.start_run()

    async def start_run(self) -> None:
        choices = {
            "model": self.dice.choice(MODELS),
            "limit": f"{Decimal(self.dice.randint(100, 20_000)) / 1000:f}",
            "group": self.dice.choice(GROUPS),
            "max_failures": 50,
            "max_losses": 200,
        }
        http = self.dice.choice([self.houses[0][0], *self.others])
        assert await self.ask("POST", "/runs", {"scenario": self._scenario, "choices": choices}, http)

    async def engine(self) -> None:
        """One engine, from its registration until there were enough calls."""
        wanted = {"engine_type": "actor", "lease_seconds": 300}
        me = (await self.ask("POST", "/engine-instances", wanted, self.houses[0][0]))["id"]
        while not self.done:
            events = await self.ask("POST", "/events/claim", {"engine_id": me, "max": 5, "wait": 0.5}) or []
            if events:
                await self.work(me, events)
                await self.check("sums" if self.dice.random() < 0.1 else "limits")
            await self.tick()

    async def work(self, me: str, events: list[dict[str, Any]]) -> None:
        """Reserve, ask the provider, settle; or die somewhere on the way."""
        calls = [self._call(event, number) for event in events for number in range(1, self.dice.randint(2, 7))]
        grants = await self.ask("POST", "/events/reserve", {"engine_id": me, "calls": calls})
        back = {grant["event_id"] for grant in grants if grant["state"] in ("refused", "not_running", "stale")}
        records = []
        for call, grant in zip(calls, grants, strict=True):
            self.seen[grant["state"]] += 1
            if grant["state"] == "granted":
                name = (call["event_id"], call["lease_no"], call["call"])
                self.bounds[name] = Decimal(grant["reserved"])
                records.append(self._serve(name, call))
        if self.dice.random() < 0.06:  # kill -9: nobody hears of it, or somebody does much later
            self.seen["died"] += 1
            if self.dice.random() < 0.5:
                self.late += [(me, record) for record in records]
            ids = [event["id"] for event in events]
            await self.watch.execute("UPDATE queue SET lease_until = now() - interval '1 s' "
                                     "WHERE id = ANY($1) AND state = 3 AND engine_id = $2", ids, me)  # fmt: skip
            return
        told = [record for record in records if self._told(me, record)]
        finished = [self._finish(event) for event in events if event["id"] not in back]
        report = {"engine_id": me, "events": finished, "calls": told}
        again = 1 + (self.dice.random() < 0.15)  # its answer was lost, and it says the same once more
        await asyncio.gather(*[self.ask("PUT", "/events/status", report) for _ in range(again)])

    def _call(self, event: dict[str, Any], number: int) -> dict[str, Any]:
        model = event["model"]["id"] if event["run_id"] else self.dice.choice(MODELS)
        return {
            "event_id": event["id"], "lease_no": event["lease_no"], "call": number, "model": model,
            "input_bound": self.dice.randint(0, TOKENS), "max_tokens": self.dice.randint(0, TOKENS),
            "request_hash": "h",
        }  # fmt: skip

    def _serve(self, name: Name, call: dict[str, Any]) -> dict[str, Any]:
        """The provider's part: below the bound, at it, rarely above it; sometimes the request never arrives."""
        dice, most_in, most_out = self.dice, call["input_bound"], call["max_tokens"]
        kind = dice.random()
        if kind < 0.03:
            self.book[name] = Served(call["model"], None)
        else:
            factor = 3 if kind > 0.998 else 1
            told_in = factor * (most_in if kind < 0.3 else dice.randint(0, most_in))
            told_out = factor * (most_out if kind < 0.3 else dice.randint(0, most_out))
            cached = dice.randint(0, told_in)
            usage = Usage(
                input_tokens=told_in, output_tokens=told_out, cached_tokens=cached,
                cache_write_tokens=dice.randint(0, told_in - cached), reasoning_tokens=dice.randint(0, told_out),
            )  # fmt: skip
            self.book[name] = Served(call["model"], usage)
        served = self.book[name]
        usage_told = None if served.usage is None else served.usage.model_dump()
        place = {key: call[key] for key in ("event_id", "lease_no", "call", "model")}
        return {**place, "sent": served.usage is not None, "usage": usage_told, "answer": "{}", "seconds": 0.1}

    def _told(self, me: str, record: dict[str, Any]) -> bool:
        """Whether an engine reports a call; else its usage is not known yet, or never."""
        chance = self.dice.random()
        if record["sent"] and chance < 0.04:
            self.late.append((me, dict(record)))
            record["usage"] = None
        if chance > 0.97:
            self.late.append((me, dict(record)))
            return False
        return True

    def _finish(self, event: dict[str, Any]) -> dict[str, Any]:
        status = self.dice.choices(["completed", "failed", "handed_back"], [20, 1, 1])[0]
        result = reply(event) if event["run_id"] else {"text": "x"}
        words: dict[str, Any] = {"completed": {"result": result}, "failed": {"error": "it broke"}}.get(status, {})
        return {"event_id": event["id"], "lease_no": event["lease_no"], "status": status, **words}

    async def tick(self) -> None:
        """Each so often something else happens in the world."""
        self._ticks += 1
        if self._chores.locked():
            return
        async with self._chores:
            if self._due("housekeeping", 10):
                await self.housekeeping()
            if self._due("kill", 20):
                self.seen["connections killed"] += len(await self.watch.fetch(KILL))
            if self._due("limits", 25):
                await self.change_limits()
            if self._due("day", 150):
                await clock.advance(self.watch, self.dice.choice([1, 1, 1, 7]))
                self.seen["days"] += 1

    def _due(self, what: str, every: int) -> bool:
        if self._ticks - self._last[what] < every:
            return False
        self._last[what] = self._ticks
        return True

    async def check(self, how: str) -> None:
        """No limit is exceeded at this moment."""
        names = ["limits_of_purses", "tranches_are_given_back"]
        if how == "sums":
            names += ["purses_hold_what_is_taken", "reserved_of_runs", "spent_of_runs", "reserved_of_budgets"]
        self.seen[f"checked {how}"] += 1
        async with self.watch.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            assert not (rows := await conn.fetch(OVER)), rows
            for name in names:
                assert not (rows := await conn.fetch(self.invariants[name])), f"{name}: {rows[:3]}"

    async def housekeeping(self) -> None:
        """What the loops of a service do, and people who look after their runs."""
        deps = self.dice.choice(self.houses)[1]
        await self.bear(deps.runs.going.run_once)
        await self.watch.execute("UPDATE queue SET run_at = now() WHERE state = 1")  # what a failure waits for is over
        await self.bear(Promote(pool=deps.pool, bell=deps.bell).run_once)
        await self.sweep(deps)
        for me, record in self._some_of_late():
            await self.ask("PUT", "/events/status", {"engine_id": me, "calls": [record]})
            self.seen["late"] += 1
        rows = await self.watch.fetch(f"SELECT id, status, owner, limit_usd, reason FROM runs WHERE {LIVE}")
        for row in rows:
            if row["status"] == "running" or self.dice.random() < 0.7:
                continue
            http = self.houses[0][0] if row["owner"] == "local" else self.others[0]
            raised = f"{row['limit_usd'] * Decimal('1.5'):f}"[:12]
            await self.ask("POST", f"/runs/{row['id']}/{self.dice.choice(['resume', 'resume', 'cancel'])}",
                           {"limit": raised} if "out_of_money" in row["reason"] else {}, http)  # fmt: skip
        for _ in range(RUNS - len(rows)):
            await self.start_run()
        for _ in range(3):
            prompt = {"event_type": "prompt", "engine_type": "actor", "data": {"prompt": "hi"}, "max_failures": 50}
            await self.ask("POST", "/events", prompt)

    async def sweep(self, deps: Deps) -> None:
        """Leases that ran out, and calls that were left behind by hand-backs."""
        for row in await self.watch.fetch(SWEPT):
            if row["run_id"] is None:
                await self.bear(deps.queue.loose.sweep, [row["id"]])
            else:
                await self.bear(deps.run_finisher.sweep_run, row["run_id"], [row["id"]])
        if self.dice.random() < 0.3 or self.done:
            for row in await self.watch.fetch(LEFT):
                lease = [(row["event_id"], row["lease_no"])]
                if row["run_id"] is None:
                    await self.bear(deps.queue.loose.close_calls, lease)
                else:
                    await self.bear(deps.run_finisher.close_calls, row["run_id"], lease)

    async def bear(self, work: Any, *args: Any) -> None:
        """A loop's work, which is done again where its connection dies under it."""
        for _ in range(50):
            try:
                await work(*args)
                return
            except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError) as error:
                if isinstance(error, asyncpg.IntegrityConstraintViolationError):
                    raise
                self.seen["done again"] += 1

    def _some_of_late(self) -> list[tuple[str, dict[str, Any]]]:
        if not self.late:
            return []
        some = [self.dice.choice(self.late) for _ in range(3)]  # some of them more than once, in the end
        for item in some[:2]:
            if item in self.late:
                self.late.remove(item)
        return some

    async def change_limits(self) -> None:
        """Somebody raises or lowers a wider limit, around what has been taken."""
        for item in await self.ask("GET", "/limits", http=self.houses[0][0]):
            if self.dice.random() < 0.5:
                continue
            wanted = Decimal(item["taken"]) * Decimal(self.dice.randint(8, 12)) / 10 + self.dice.randint(0, 80)
            path = item["scope"] + (f"/{item['name']}" if item["name"] else "")
            await self.ask("PUT", f"/limits/{path}", {"limit": f"{wanted:.6f}"}, self.houses[0][0])

    async def close(self) -> None:
        """Everybody goes home: leases run out, what was still to be said is said, runs end."""
        for me, record in self.late:
            if self.dice.random() < 0.5:
                await self.ask("PUT", "/events/status", {"engine_id": me, "calls": [record]})
        await self.watch.execute("UPDATE queue SET lease_until = now() - interval '1 s' WHERE state = 3")
        await self.sweep(self.houses[0][1])
        for row in await self.watch.fetch(f"SELECT id, owner FROM runs WHERE {LIVE}"):
            http = self.houses[0][0] if row["owner"] == "local" else self.others[0]
            await self.ask("POST", f"/runs/{row['id']}/cancel", None, http)

    def charged(self, name: Name) -> Decimal:
        """What the provider's bill says about a call."""
        served = self.book[name]
        if served.usage is None:
            return Decimal(0)
        usage = served.usage
        return cost(
            usage.input_tokens, usage.output_tokens, self.prices[served.model], cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens, reasoning_tokens=usage.reasoning_tokens,
        )  # fmt: skip
