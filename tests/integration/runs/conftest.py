from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.integration.runs.desk import Desk

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.settings import Settings


@pytest.fixture
async def desk(dsn: str) -> AsyncIterator[Desk]:
    """The service without its loops: a test runs the promoter and the sweep when it wants them."""
    settings = Settings(database_url=dsn, runs_at_once=None)
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield Desk(http=http, deps=deps)
