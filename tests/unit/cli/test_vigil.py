"""Waiting for a run while the API is in trouble: said at once, and not for ever."""

from __future__ import annotations

import anyio
import httpx
import pytest

from pyscrai.cli import vigil as module
from pyscrai.cli.vigil import Stalled, vigil
from pyscrai.client.api import Api
from pyscrai.client.errors import ApiUnreachable
from pyscrai.client.http import Http


def api(answer: dict[str, object]) -> Api:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=answer))
    return Api(Http("http://api.test", transport=transport))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.001)


async def test_trouble_is_said_once_and_ends_the_wait() -> None:
    said: list[str] = []
    with pytest.raises(Stalled, match="no room left"):
        async with vigil(api({"status": "ready", "trouble": "no room left"}), 0.01, said.append):
            await anyio.sleep_forever()
    assert said == ["No room left. Waiting up to 0 s …"]


async def test_without_trouble_the_body_decides() -> None:
    said: list[str] = []
    async with vigil(api({"status": "ready"}), 0.0, said.append):
        await anyio.sleep(0.01)
    with pytest.raises(ApiUnreachable, match="gone"):
        async with vigil(api({"status": "ready"}), 0.0, said.append):
            raise ApiUnreachable("gone")
    assert said == []
