"""Servers on this machine are asked without the proxy that is set for the outside."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from pyscrai.llm import clients

MODELS = b'{"object": "list", "data": []}'


@pytest.fixture
async def server() -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(MODELS)}\r\n"
        writer.write(head.encode() + b"connection: close\r\n\r\n" + MODELS)
        await writer.drain()
        writer.close()

    made = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with made:
        yield f"http://127.0.0.1:{made.sockets[0].getsockname()[1]}/v1"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody reaches: whoever goes there fails."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, address)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("proxy")
async def test_a_server_on_this_machine_is_asked_itself(server: str) -> None:
    found = await clients.openai_client(server, "key", own=False).models.list()
    assert found.data == []
    found = await clients.anthropic_client(server, "key").models.list()
    assert found.data == []
    await clients.close_clients()


@pytest.mark.usefixtures("proxy")
async def test_others_are_asked_through_the_proxy() -> None:
    from openai import APIConnectionError

    with pytest.raises(APIConnectionError):
        await clients.openai_client("http://models.example/v1", "key", own=False).models.list()
    await clients.close_clients()
