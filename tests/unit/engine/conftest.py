"""An engine, the API's side of its protocol, and a model that answers when a test lets it."""

from __future__ import annotations

import pytest
from tests.unit.engine.harness import Bench, Model, TestApi


@pytest.fixture
async def api() -> TestApi:
    return TestApi()


@pytest.fixture
async def bench(api: TestApi) -> Bench:
    return Bench(api, Model(told=api.look_again))
