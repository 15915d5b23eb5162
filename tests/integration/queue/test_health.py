"""The health report over a real server: what it sees and what it does not; and the overview of lanes."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import yaml
from tests.integration.queue.bench import Bench, failed, until

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.health.facts import HOT, read
from pyscrai_api.loops.all import all_running
from pyscrai_api.queue.depths import Depths
from pyscrai_api.settings import Settings

ROOT = Path(__file__).parents[3]
METRIC = re.compile(r"\bpyscrai_(?!api\b)[a-z_]+[a-z]")


async def lines(bench: Bench) -> dict[str, dict[str, Any]]:
    report = await bench.call("GET", "/health/report", None, 200)
    return {line["name"]: line for line in report["lines"]}


async def test_a_sound_installation(bench: Bench) -> None:
    async with all_running(bench.deps):
        await until(lambda: len(bench.deps.metrics.loops) >= 10)
        found = await lines(bench)
    assert {name for name, line in found.items() if line["state"] == "bad"} == set()
    assert {line["section"] for line in found.values()} == {"queue", "database"}
    assert len(found) == 15
    facts = await read(bench.deps.pool)
    assert {table.name for table in facts.tables or ()} == set(HOT)
    assert "ix_queue_ready" in {index.name for index in facts.indexes or ()}


async def test_what_is_wrong_is_seen(bench: Bench, dsn: str) -> None:
    await bench.post(3)
    engine = await bench.engine()
    one, two = await bench.claim(engine, 2)
    await bench.finish(engine, failed(one, permanent=True))
    await bench.age(two["id"])
    await bench.call("PUT", "/queue/pauses", {"lane": "narrator", "reason": "no"})
    await bench.call("POST", "/events", {"engine_type": "analyst", "data": {"prompt": "x"}}, 201)
    conn, other = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    await conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; LOCK TABLE budgets")
    waiting = asyncio.create_task(other.execute("BEGIN; LOCK TABLE budgets"))
    try:
        await until(lambda: somebody_waits(bench))
        facts = await read(bench.deps.pool)
        while not [one for one in facts.transactions if one.xids is not None]:  # those that are open for a second
            facts = await read(bench.deps.pool)
        found = await lines(bench)
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await other.close()
        await conn.close()
    assert "analyst (1 ready)" in found["Engines"]["detail"]
    assert (found["Dead letters"]["detail"], found["Dead letters"]["state"]) == ("actor 1", "warn")
    assert "1 over" in found["Leases"]["detail"]
    assert found["Pauses"]["detail"] == "everything in narrator by local"
    assert found["Lock waits"]["values"]["lock_waits"] == 1
    assert found["Oldest snapshot"]["values"]["snapshot_seconds"] > 0
    assert "idle in transaction" in {held.state for held in facts.transactions if held.xids is not None}


async def test_a_locked_queue_is_reported_and_not_waited_for(bench: Bench, dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute("BEGIN; LOCK TABLE queue")
        report = await bench.call("GET", "/health/report", None, 200)
    finally:
        await conn.close()
    assert [line for line in report["hidden"] if line.startswith("leases: ")]
    assert [line for line in report["hidden"] if line.startswith("lanes: ")]
    assert "Connections" in {line["name"] for line in report["lines"]}


async def somebody_waits(bench: Bench) -> bool:
    found: bool = await bench.deps.pool.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    return found


async def test_a_role_that_may_see_little_says_so(bench: Bench, dsn: str) -> None:
    """An owner of the tables who is no superuser, while somebody else works."""
    pool = bench.deps.pool
    role = f"modest_{abs(hash(dsn)) % 10**8}"
    await pool.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'modest'; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
    )
    try:
        parts = httpx.URL(dsn)
        modest = str(parts.copy_with(userinfo=f"{role}:modest".encode()))
        async with asyncpg.create_pool(modest, min_size=1, max_size=1) as seen:
            facts = await read(seen)
        assert facts.server is not None
        assert not facts.server.sees_all
        assert facts.tables is not None
        assert len(facts.tables) == len(HOT)
        assert any("GRANT pg_read_all_stats" in line for line in facts.hidden)
    finally:
        await pool.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_only_the_operator_sees_and_stops(dsn: str) -> None:
    settings = Settings(database_url=dsn, token="the-token-of-the-installation")
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            boss = {"authorization": f"Bearer {settings.token}"}
            made = await http.post("/api/v1/users", json={"name": "ann"}, headers=boss)
            ann = {"authorization": f"Bearer {made.json()['token']}"}
            engine = await http.post(
                "/api/v1/engine-instances", json={"engine_type": "actor", "pool": "ann"}, headers=ann
            )
            machine = {"authorization": f"Bearer {engine.json()['token']}"}
            for method, path in (
                ("GET", "/health/report"), ("GET", "/queue/pauses"), ("PUT", "/queue/pauses"),
                ("DELETE", "/queue/pauses"), ("POST", "/events/dead/discard"), ("GET", "/events/dead?everybody=true"),
            ):  # fmt: skip
                body = {"everybody": True} if method in ("PUT", "POST") else None
                for headers, expected in ((ann, 403), (machine, 403), ({}, 401)):
                    answer = await http.request(method, f"/api/v1{path}", json=body, headers=headers)
                    assert answer.status_code == expected, (method, path, answer.text)
            secret = await http.post(
                "/api/v1/engine-instances", json={"engine_type": "actor", "pool": "bob"}, headers=boss
            )
            seen = (await http.get("/api/v1/queue", headers=ann)).json()["lanes"]
            assert [lane["lane"] for lane in seen] == ["actor:ann"]
            everything = (await http.get("/api/v1/queue", headers=boss)).json()["lanes"]
            assert [lane["lane"] for lane in everything] == ["actor:ann", "actor:bob"]
            for who, expected in ((ann, 404), (machine, 403), (boss, 200)):
                path = f"/api/v1/engine-instances/{secret.json()['id']}/pause"
                assert (await http.post(path, headers=who)).status_code == expected
            own = f"/api/v1/engine-instances/{engine.json()['id']}/pause"
            assert (await http.post(own, headers=ann)).json()["status"] == "paused"


async def test_the_figures_are_in_the_metrics(bench: Bench) -> None:
    await bench.post(2)
    engine = await bench.engine()
    (event,) = await bench.claim(engine, 1)
    await bench.finish(engine, failed(event, permanent=True))
    page = (await bench.http.get("/metrics")).text
    for line in (
        'pyscrai_queue_claims_total{event_type="prompt",lane="actor"} 1.0',
        'pyscrai_queue_reports_total{event_type="prompt",how="failed",lane="actor"} 1.0',
        'pyscrai_queue_deaths_total{event_type="prompt",lane="actor"} 1.0',
        'pyscrai_queue_events{event_type="prompt",lane="actor",state="dead"} 1.0',
        "pyscrai_queue_estimated 0.0",
        'pyscrai_health{name="Dead letters",section="queue"} 1.0',
        'pyscrai_health_figure{figure="dead_letters"} 1.0',
    ):
        assert line in page.splitlines(), line
    assert 'pyscrai_table_live_rows{table="queue"}' in page
    assert 'pyscrai_index_bytes{index="ix_queue_ready"}' in page
    assert 'pyscrai_queue_oldest_ready_seconds{lane="actor"}' in page


async def test_docs_and_alerts_name_only_metrics_that_there_are(bench: Bench) -> None:
    """And the docs name every one of the queue's and the report's."""
    await bench.post(2)
    engine = await bench.engine()
    (event,) = await bench.claim(engine, 1)
    await bench.finish(engine, failed(event))
    bench.deps.queue.tally.refused("actor")
    async with all_running(bench.deps):
        await until(lambda: len(bench.deps.metrics.loops) >= 10)
        page = (await bench.http.get("/metrics")).text
    there = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE pyscrai_")}
    alerts = (ROOT / "deploy/alerts.yml").read_text("utf-8")
    rules = [rule for group in yaml.safe_load(alerts)["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 8
    for rule in rules:
        assert set(METRIC.findall(rule["expr"])) <= there, rule["expr"]
        assert rule["annotations"]["summary"]
    docs = (ROOT / "docs/operating.md").read_text("utf-8")
    section = docs[docs.index("## Metrics") :]
    named = set(METRIC.findall(section))
    tables = {f"pyscrai_table{end}" for end in re.findall(r"`(_\w+)`", section)}
    assert named | tables <= there | {"pyscrai_table_live_rows"}, (named | tables) - there
    missing = {name for name in there if not name.endswith("_created")} - named - tables
    assert missing == set()


async def test_lost_leases_are_counted_once_swept(bench: Bench) -> None:
    await bench.post(1, max_failures=1)
    engine = await bench.engine()
    (event,) = await bench.claim(engine)
    await bench.age(event["id"])
    await bench.deps.queue.loose.sweep([event["id"]])
    assert (bench.deps.queue.tally.claims, bench.deps.queue.tally.losses) == (1, 1)


@pytest.mark.parametrize("pages", [10**6, 5])
async def test_a_long_queue_is_counted_by_a_sample(bench: Bench, pages: int) -> None:
    """What is estimated is near, what is leased or dead is counted, and nothing is counted again and again."""
    await bench.deps.pool.execute(
        "INSERT INTO events (event_type, payload, owner, created_by) "
        "SELECT 't' || n % 2, '{}', 'local', 'local' FROM generate_series(1, 20000) AS n"
    )
    await bench.deps.pool.execute(
        "INSERT INTO queue (id, lane, event_type, state, rank, pass, error) "
        "SELECT id, 'actor', event_type, CASE WHEN id % 100 = 0 THEN 6 ELSE 2 END, 4, id, "
        "CASE WHEN id % 100 = 0 THEN 'x' END FROM events"
    )
    now = [100.0]
    depths = Depths(bench.deps.pool, pages=pages, clock=lambda: now[0])
    counted = await depths.look()
    assert counted.estimated == (pages == 5)
    ready = sum(states.get(2, 0) for states in counted.events.values())  # type: ignore[call-overload]
    assert sum(states.get(6, 0) for states in counted.events.values()) == 200  # type: ignore[call-overload]
    if pages == 5:
        assert 0 < ready < 80_000
    else:
        assert ready == 19_800
        assert set(counted.events) == {("actor", "t0"), ("actor", "t1")}
    assert set(counted.oldest) == {"actor"}
    now[0] += 1
    assert await depths.look(2.0) is counted
    now[0] += 2
    assert await depths.look(2.0) is not counted
    await bench.deps.pool.execute("TRUNCATE events, queue CASCADE")
