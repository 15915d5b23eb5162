"""The database goes away in mid-service and comes back: 503 meanwhile, no restart needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.settings import Settings


class Wire:
    """A wire to the real server that can be cut: connections die, new ones are refused, until it is mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return  # cut: the other direction ends the same way
        finally:
            writer.close()


@pytest.fixture
async def wire(dsn: str) -> AsyncIterator[Wire]:
    parts = urlsplit(dsn)
    made = Wire(parts.hostname or "127.0.0.1", parts.port or 5432)
    await made.mend()
    yield made
    made.cut()


@pytest.fixture
async def through(dsn: str, wire: Wire) -> AsyncIterator[httpx.AsyncClient]:
    """The API, reaching the database over the wire."""
    parts = urlsplit(dsn)
    user = f"{parts.username}:{parts.password}" if parts.password else parts.username
    settings = Settings(database_url=urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{wire.port}")))
    async with open_deps(replace(settings, pool_size=4)) as deps:
        transport = httpx.ASGITransport(create_app(settings, deps))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield client


PATHS = ["/readyz", "/api/v1/templates", "/api/v1/runs"]


async def test_an_outage_is_answered_with_503_and_ends_by_itself(through: httpx.AsyncClient, wire: Wire) -> None:
    for path in PATHS:
        assert (await through.get(path)).status_code == 200, path
    wire.cut()
    for path in PATHS:
        for _ in range(6):  # more than there are connections: dead ones and new ones
            answer = await through.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), path
            assert answer.headers["retry-after"] == "1"
    posted = await through.post("/api/v1/templates/agents", json={"name": "a"}, headers={"Idempotency-Key": "k"})
    assert posted.status_code == 503
    assert (await through.get("/healthz")).status_code == 200
    await wire.mend()
    for path in PATHS:
        assert (await through.get(path)).status_code == 200, path
    again = await through.post("/api/v1/templates/agents", json={"name": "a"}, headers={"Idempotency-Key": "k"})
    assert again.status_code == 201
