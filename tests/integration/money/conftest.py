from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from tests.integration.money import clock
from tests.integration.runs.desk import Desk

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.settings import Settings

PRICES = """
'openai:test': {input: '1', output: '2'}
'openai:whole': {input: '10', output: '20', cached_input: '1', cache_write: '12.5', reasoning: '40', request: '0.001',
                 tiers: [{above: 500, input: '100', output: '200'}]}
"""


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES)
    return Settings(database_url=dsn, runs_at_once=None, prices=prices, default_limit=Decimal(1), token="the-token")


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The service without its loops, at a clock that a test moves; its caller holds the installation's token."""
    await clock.install(settings.database_url)
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
        headers = {"Authorization": "Bearer the-token"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers) as http:
            yield Desk(http=http, deps=deps)
