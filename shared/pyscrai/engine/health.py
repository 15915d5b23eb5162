"""The probes and metrics of an engine: three paths, answered from a bare socket server, so that nothing has to be
imported and nothing can be posted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry, generate_latest

from pyscrai.engine.errors import CannotStart

_REQUEST_SECONDS = 5.0
_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


@asynccontextmanager
async def serve_health(
    host: str, port: int, *, why_not_ready: Callable[[], str | None], registry: CollectorRegistry
) -> AsyncIterator[int]:
    """Serve /healthz, /readyz and /metrics; gives the port. Raises CannotStart where the port is not to be had."""

    def answer(method: str, path: str) -> tuple[int, str, bytes]:
        if method not in ("GET", "HEAD"):
            return 405, "text/plain", b"GET only\n"
        if path == "/healthz":
            return 200, "text/plain", b"ok\n"
        if path == "/readyz":
            why = why_not_ready()
            return (200, "text/plain", b"ready\n") if why is None else (503, "text/plain", f"{why}\n".encode())
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", generate_latest(registry)
        return 404, "text/plain", b"/healthz, /readyz or /metrics\n"

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, *_ = [*head.split(b"\r\n", 1)[0].decode("latin-1").split(" "), "", ""]
                status, kind, body = answer(method, path.partition("?")[0])
                lines = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: {kind}\r\n"
                lines += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
                writer.write(lines.encode() + (b"" if method == "HEAD" else body))
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # a client that says nothing sensible in time is not worth a line in the log
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(connected, host, port)
    except OSError as error:
        raise CannotStart(
            f"cannot listen on {host}:{port} for health and metrics: {error.strerror or error}. "
            "Choose another --port; 0 takes a free one."
        ) from error
    async with server:
        yield int(server.sockets[0].getsockname()[1])
