"""A provider's server on this machine, and the environment in which its models are asked there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.llm.providers.protocols import KEY, PROTOCOLS, Protocol

from pyscrai.llm import close, learned


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.name)
def protocol(request: pytest.FixtureRequest) -> type[Protocol]:
    """Each provider in turn; a test that is about some of them parametrizes this itself."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def provider(protocol: type[Protocol], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Protocol]:
    made = protocol()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    made.url = f"http://{address}{made.base}"
    for each in PROTOCOLS:
        for variable in (each.key_variable, each.base_variable, "GOOGLE_API_KEY", "PYSCRAI_KEYS"):
            monkeypatch.delenv(variable or "NOTHING", raising=False)
    if made.base_variable:
        monkeypatch.setenv(made.base_variable, made.url)
    if made.key_variable:
        monkeypatch.setenv(made.key_variable, KEY)
    learned._refused.clear()
    yield made
    await close()
    listening.close()
    await listening.wait_closed()


@pytest.fixture
def model(provider: Protocol) -> str:
    """The model's name as a person writes it."""
    return provider.model or f"{provider.url}#{provider.wire_model}"
