"""The mock provider on a port."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pyscrai_mock_provider.app import CONNECTION, MODEL, make_app
from pyscrai_mock_provider.prices import shown
from pyscrai_mock_provider.provider import Provider
from pyscrai_mock_provider.settings import Settings

BACKLOG = 2048
GRACE_SECONDS = 5
IDLE_SECONDS = 24 * 60 * 60
"""Clients end idle connections, never we: a request on its way to one that closes would fail without a fault."""


class CannotListen(Exception):
    """The address cannot be had; the message says why."""


class Line(HttpToolsProtocol):
    """A connection that an application may cut."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: self.transport}  # type: ignore[dict-item]


class Server(uvicorn.Server):
    """uvicorn that says when it is ready. With `alone` the process is its own: signals stop it."""

    def __init__(self, settings: Settings, *, alone: bool, ready: Callable[[str], None]) -> None:
        self._stopping = asyncio.Event()
        self._alone, self._ready, self._host = alone, ready, settings.host
        app = make_app(Provider(settings), self._stopping)
        super().__init__(
            uvicorn.Config(
                app,
                http=Line,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if not self._alone:
            yield
            return
        with super().capture_signals():
            yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and sockets:
            self._ready(_address(self._host, sockets[0].getsockname()[1]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets=sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Asked to stop is not a failure: the signal is not raised again afterwards.
        self.force_exit, self.should_exit = self.should_exit, True


def serve(settings: Settings, *, as_json: bool) -> int:
    """Serve until told to stop; returns the exit code. The first line on stdout says that it is ready, and where."""
    try:
        listener = listen(settings.host, settings.port)
    except CannotListen as error:
        print(f"pyscrai_mock_provider: {error}", file=sys.stderr)  # noqa: T201
        return 1

    def ready(url: str) -> None:
        print(_ready_json(url) if as_json else _ready_text(url, settings), flush=True)  # noqa: T201

    async def main() -> None:
        await Server(settings, alone=True, ready=ready).serve(sockets=[listener])

    with listener:
        asyncio.run(main())
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A socket on that address; port 0 takes a free one. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}: {error.strerror or error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(f"port {port} on {host} is in use; choose another, or 0 for a free one") from None
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    listener.setblocking(False)
    return listener


def model_name(url: str) -> str:
    """What PyScrAI calls the model of the provider at `url`."""
    return f"{url}/v1#{MODEL}"


def _address(host: str, port: int) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"


def _ready_json(url: str) -> str:
    return json.dumps({"url": url, "base_url": f"{url}/v1", "model": model_name(url), "pid": os.getpid()})


def _ready_text(url: str, settings: Settings) -> str:
    prices = f"{shown(settings.prices.input)},{shown(settings.prices.output)}"
    return "\n".join(
        (
            f"A provider that is none listens at {url}/v1. It speaks OpenAI's protocol and costs nothing.",
            f"Model  {model_name(url)}",
            f"Bill   {url}/bill",
            f"Play   pyscrai run negotiation --model '{model_name(url)}' --price '{url}/v1#*={prices}'",
            "Stop   Ctrl-C",
        )
    )
