"""Whatever prices, usages, crashes and people do: no limit is exceeded, and in the end nothing is left reserved."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import asyncpg
import httpx
import pytest
import yaml
from tests.integration.money import clock
from tests.integration.money.market import Market, prices

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.settings import Settings

ENGINES = 50
CALLS = 10_000
TOKEN = "the-token"
BASE = "http://127.0.0.1:8000"
CALLS_NOW = "SELECT event_id, lease_no, call, state, reserved, cost, drawn_on FROM calls"


@pytest.fixture
async def market(dsn: str, tmp_path: Path) -> AsyncIterator[Market]:
    """Two services on one database, two people, and somebody who watches on connections that nobody kills."""
    seed = os.environ.get("PYSCRAI_TEST_SEED") or secrets.token_hex(4)
    print(f"PYSCRAI_TEST_SEED={seed}")
    dice = random.Random(seed)
    known = prices(dice)
    file = tmp_path / "prices.yaml"
    file.write_text(yaml.safe_dump({m: p.model_dump(mode="json", exclude_none=True) for m, p in known.items()}))
    settings = Settings(
        database_url=dsn, runs_at_once=None, prices=file, token=TOKEN, default_limit=Decimal(2), pool_size=16,
        day_limit=Decimal(8), week_limit=Decimal(20), installation_limit=Decimal(30),
    )  # fmt: skip
    await clock.install(dsn)
    async with AsyncExitStack() as stack:
        houses = []
        for _ in range(2):
            deps = await stack.enter_async_context(open_deps(settings))
            transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
            houses.append((await stack.enter_async_context(_client(transport, TOKEN)), deps))
        ada = (await houses[0][0].post("/api/v1/users", json={"name": "ada"})).json()["token"]
        others = [await stack.enter_async_context(_client(houses[0][0]._transport, ada))]
        watch = await stack.enter_async_context(asyncpg.create_pool(dsn, min_size=1, max_size=4))
        yield Market(houses=houses, others=others, watch=watch, prices=known, dice=dice, wanted=CALLS)


def _client(transport: httpx.AsyncBaseTransport, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport, base_url=BASE, headers={"Authorization": f"Bearer {token}"}, timeout=120
    )


@pytest.mark.timeout(900)  # a minute on a quiet core
async def test_no_limit_is_ever_exceeded(market: Market) -> None:
    await market.open()
    async with asyncio.TaskGroup() as crew:
        for _ in range(ENGINES):
            crew.create_task(market.engine())
    await market.close()
    await market.check("sums")
    print(dict(market.seen))
    rows = await market.watch.fetch(CALLS_NOW)
    assert len(rows) >= CALLS
    for row in rows:
        name = (row["event_id"], row["lease_no"], row["call"])
        state, charged = row["state"], market.charged(name) if name in market.book else None
        assert state != 1, f"{name} is still reserved"
        if state == 2:
            assert row["cost"] == charged, f"{name} was not charged as the provider did"
        elif state == 3:
            assert row["cost"] == row["reserved"], f"{name} is charged at its bound"
            assert charged is None or row["cost"] >= charged or charged > row["reserved"]
        else:
            assert charged == 0, f"{name} was served"
    assert await market.watch.fetchval("SELECT count(*) FROM runs WHERE tranche <> 0 OR reserved <> 0") == 0
    taken = await market.watch.fetchval("SELECT taken FROM purses WHERE scope = 'installation'")
    assert taken == sum(row["cost"] for row in rows if row["drawn_on"] is not None)
    for fault in ("refused", "died", "late", "connections killed", "days"):
        assert market.seen[fault], f"{fault} never happened"
