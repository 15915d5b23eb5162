"""Probes, metrics, invariants."""

from __future__ import annotations

import httpx

from pyscrai_api.deps import Deps


async def test_alive_and_ready(api: httpx.AsyncClient) -> None:
    assert (await api.get("/healthz")).json() == {"status": "ok"}
    assert (await api.get("/readyz/")).json()["status"] == "ready"


async def test_not_ready_with_another_schema(api: httpx.AsyncClient, shared: Deps) -> None:
    was = await shared.pool.fetchval("SELECT version_num FROM alembic_version")
    await shared.pool.execute("UPDATE alembic_version SET version_num = '0000'")
    answer = await api.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert (await api.get("/healthz")).status_code == 200
    await shared.pool.execute("UPDATE alembic_version SET version_num = $1", was)


async def test_requests_are_counted_by_route(api: httpx.AsyncClient) -> None:
    await api.get("/api/scenarios/nobody/")
    await api.get("/no/such/path")
    page = (await api.get("/metrics")).text
    assert 'pyscrai_http_requests_total{method="GET",route="/api/v1/scenarios/{name}",status="404"} 1.0' in page
    assert 'route="(none)",status="404"} 1.0' in page
    assert "no/such/path" not in page
    assert "pyscrai_pool_connections " in page


async def test_a_gauge_is_fresh_when_it_is_read(api: httpx.AsyncClient, shared: Deps) -> None:
    asked = []

    async def refresh() -> None:
        asked.append(1)

    shared.metrics.refreshers.append(refresh)
    await api.get("/metrics")
    assert asked == [1]


async def test_invariants_are_named_and_hold(api: httpx.AsyncClient) -> None:
    found = (await api.get("/api/v1/health/invariants")).json()
    assert found
    assert all(rows == [] for rows in found.values())


async def test_every_answer_has_the_requests_id(api: httpx.AsyncClient) -> None:
    assert (await api.get("/healthz", headers={"x-request-id": "mine"})).headers["x-request-id"] == "mine"
    assert (await api.get("/nope")).headers["x-request-id"]
