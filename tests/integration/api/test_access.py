"""Who may call, over the whole application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import httpx
import pytest

from pyscrai_api.app import create_app
from pyscrai_api.deps import Deps
from pyscrai_api.ids import new_id
from pyscrai_api.tokens import engine_token

JSON = {"content-type": "application/json"}
REGISTER = """
INSERT INTO engines (id, engine_type, lane, owner, token_hash, status, capabilities, resource_limits, engine_metadata,
  lease_seconds, heartbeat_seconds, protocol)
VALUES ($1, 'actor', 'actor', 'local', $2, 'active', '[]', '{}', '{}', 20, 5, 1)
"""


@pytest.fixture
async def guarded(shared: Deps) -> AsyncIterator[httpx.AsyncClient]:
    """The same service, started with a token and a name."""
    settings = replace(shared.settings, token="open-sesame", allowed_hosts=("play.example.org", "*.internal"))
    transport = httpx.ASGITransport(create_app(settings, shared))
    async with httpx.AsyncClient(transport=transport, base_url="http://play.example.org") as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def registered(shared: Deps) -> tuple[UUID, str]:
    engine_id = new_id()
    token, hashed = engine_token(engine_id)
    await shared.pool.execute(REGISTER, engine_id, hashed)
    return engine_id, token


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil:8000"])
async def test_a_rebound_name_is_refused(api: httpx.AsyncClient, host: str) -> None:
    answer = await api.get("/api/v1/scenarios", headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
async def test_loopback_names_are_ours(api: httpx.AsyncClient, host: str) -> None:
    assert (await api.get("/api/v1/scenarios", headers={"host": host})).status_code == 200


async def test_probes_are_called_by_address(api: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await api.get(path, headers={"host": "10.1.2.3:8000"})).status_code == 200


async def test_pages_of_others_are_refused_and_ours_are_not(api: httpx.AsyncClient) -> None:
    body = {"name": "a"}
    ours = await api.post("/api/v1/templates/agents", json=body, headers={"origin": "http://127.0.0.1:8000"})
    assert ours.status_code == 201
    for origin in ("https://evil.example", "null", "http://127.0.0.1:3000"):
        answer = await api.post("/api/v1/templates/agents", json={"name": "b"}, headers={"origin": origin})
        assert answer.status_code == 403
    cross = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert (await api.get("/api/v1/scenarios", headers=cross)).status_code == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_form_cannot_post(api: httpx.AsyncClient, kind: str) -> None:
    answer = await api.post("/api/v1/templates/agents", content=b'{"name": "a"}', headers={"content-type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_document_that_is_too_large(api: httpx.AsyncClient, shared: Deps) -> None:
    body = b'{"name": "a", "text": "' + b"x" * shared.settings.document_limit + b'"}'
    answer = await api.post("/api/v1/templates/agents", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:1000]
        yield body[1000:]

    answer = await api.post("/api/v1/templates/agents", content=pieces(), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_without_the_token_nothing_is_told(guarded: httpx.AsyncClient) -> None:
    for headers in ({}, bearer("wrong"), bearer(""), {"authorization": "Basic b3Blbg=="}, bearer("pye_" + "0" * 60)):
        answer = await guarded.get("/api/v1/scenarios", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await guarded.get("/api/v1/nothing-there")).status_code == 401
    assert (await guarded.get("/healthz")).status_code == 200
    assert (await guarded.get("/api/v1/openapi.json")).status_code == 200


async def test_with_the_token_everything_is(guarded: httpx.AsyncClient) -> None:
    assert (await guarded.get("/api/scenarios/", headers=bearer("open-sesame"))).status_code == 200


async def test_allowed_names(guarded: httpx.AsyncClient) -> None:
    for host, status in (("api.internal", 200), ("internal", 403), ("play.example.org:80", 200), ("example.org", 403)):
        headers = bearer("open-sesame") | {"host": host}
        assert (await guarded.get("/api/v1/scenarios", headers=headers)).status_code == status, host


async def test_an_engines_token_opens_its_own_routes_only(guarded: httpx.AsyncClient, shared: Deps) -> None:
    engine_id, token = await registered(shared)
    for _ in range(2):  # the second time from memory
        for path in ("/api/v1/scenarios", "/api/v1/runs", f"/api/v1/engine-instances/{new_id()}"):
            answer = await guarded.get(path, headers=bearer(token))
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
        own = await guarded.get(f"/api/v1/engine-instances/{engine_id}", headers=bearer(token))
        assert own.status_code not in (401, 403)
    forged = token[:-1] + ("a" if token[-1] != "a" else "b")
    assert (await guarded.get("/api/v1/events/queue/actor", headers=bearer(forged))).status_code == 401


async def test_an_open_service_still_knows_engines_by_their_token(api: httpx.AsyncClient, shared: Deps) -> None:
    _, token = await registered(shared)
    assert (await api.get("/api/v1/scenarios", headers=bearer(token))).status_code == 403
    assert (await api.get("/api/v1/scenarios", headers=bearer("made-up"))).status_code == 401
