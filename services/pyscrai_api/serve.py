"""One API process from its first connection to its last answer."""

from __future__ import annotations

import errno
import json
import socket
import sys
from types import FrameType

import structlog
import uvicorn
import uvloop

from pyscrai_api import logging
from pyscrai_api.access import check_exposure
from pyscrai_api.app import create_app
from pyscrai_api.deps import Deps, open_deps
from pyscrai_api.errors import StartupError, from_exception
from pyscrai_api.loops.all import all_running
from pyscrai_api.sending import Protocol
from pyscrai_api.settings import Settings

log = structlog.get_logger()
BACKLOG = 2048


def serve(settings: Settings) -> int:
    """Serve until told to stop; returns the exit code. What prevents the start is one line on stderr."""
    logging.configure(settings.log_level)
    try:
        return uvloop.run(_serve(settings))
    except StartupError as error:
        print(f"pyscrai_api: {error}", file=sys.stderr)  # noqa: T201
    except Exception as error:
        failure = from_exception(error)
        if failure.code == "internal":
            raise
        # The database went away, or filled up, between two steps of the start.
        print(f"pyscrai_api: cannot start: {failure.detail}", file=sys.stderr)  # noqa: T201
    except KeyboardInterrupt:
        print("pyscrai_api: stopped before it was ready", file=sys.stderr)  # noqa: T201
    return 1


async def _serve(settings: Settings) -> int:
    check_exposure(settings)
    listener = listen(settings.host, settings.port)
    with listener:
        async with open_deps(settings) as deps, all_running(deps):
            server = Server(settings, deps)
            await server.serve(sockets=[listener])
            return 0 if server.started else 1


def listen(host: str, port: int) -> socket.socket:
    """A socket on that address; port 0 takes a free one. Raises StartupError naming what is wrong with it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartupError(f"cannot listen on {host}: {error.strerror or error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartupError(_cannot_listen(host, port, error)) from None
    listener.setblocking(False)
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; choose another with --port, or 0 for a free one"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} may not be used by this user; choose one above 1023"
    return f"cannot listen on {host}:{port}: {error.strerror or error}"


KEEP_ALIVE = 75
"""Seconds for which an idle connection is kept. uvicorn's own 5 are the pause between two heartbeats: each would find
its connection being closed. Longer than our client and common load balancers keep theirs (60): they close first."""


class Server(uvicorn.Server):
    """uvicorn with our signals: the first drains, the second stops; and it says when it is ready."""

    def __init__(self, settings: Settings, deps: Deps) -> None:
        self._settings, self._deps = settings, deps
        super().__init__(
            uvicorn.Config(
                create_app(settings, deps),
                http=Protocol,
                ws="websockets-sansio",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=round(settings.grace),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and sockets:
            url = address(self._settings.host, sockets[0].getsockname()[1])
            print(json.dumps({"url": url}), flush=True)  # noqa: T201
            log.info("api_ready", url=url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Long polls and streams end by themselves when they see this; the rest gets the time it needs.
        self._deps.stopping.set()
        log.info("api_stopping")
        await super().shutdown(sockets=sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True


def address(host: str, port: int) -> str:
    """The URL under which this machine reaches a service that listens there."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
