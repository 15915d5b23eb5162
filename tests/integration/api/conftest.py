"""The API in this process over a real database; only the HTTP transport is in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from pyscrai_api.app import create_app
from pyscrai_api.deps import Deps, open_deps
from pyscrai_api.settings import Settings

URL = "http://127.0.0.1:8000"


@pytest.fixture
def settings(dsn: str) -> Settings:
    return Settings(database_url=dsn, runs_at_once=None)


@pytest.fixture
async def shared(settings: Settings) -> AsyncIterator[Deps]:
    async with open_deps(settings) as opened:
        yield opened


@pytest.fixture
async def api(shared: Deps) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(shared.settings, shared))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client
