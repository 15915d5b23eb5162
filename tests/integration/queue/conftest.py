from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.integration.queue.bench import Bench

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.settings import Settings


@pytest.fixture
def settings(dsn: str) -> Settings:
    return Settings(database_url=dsn, runs_at_once=None)


@pytest.fixture
async def bench(settings: Settings) -> AsyncIterator[Bench]:
    """The service without its loops: a test runs them when it wants them."""
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as http:
            yield Bench(http=http, deps=deps)
