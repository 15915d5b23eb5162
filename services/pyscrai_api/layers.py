"""The outer layers of the service, as plain ASGI (a few microseconds each).

Watch       request id, one log line and one metric per request, and the last net for unexpected errors
Paths       `/api/x` is `/api/v1/x`; one slash at the end does not matter; never a redirect
"""

from __future__ import annotations

import secrets
import time
from itertools import count

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyscrai_api.errors import from_exception, problem
from pyscrai_api.logging import REQUEST

log = structlog.get_logger()
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


def canonical_path(path: str) -> str:
    """The one path that a route is declared under."""
    if len(path) > 1 and path.endswith("/"):
        path = path[:-1]
    if path.startswith("/api/") and path != "/api/v1" and not path.startswith("/api/v1/"):
        path = "/api/v1" + path[4:]
    return path


class Paths:
    """Rewrites the path, so that each route is declared once."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            path = canonical_path(scope["path"])
            if path != scope["path"]:
                # In place: the layers outside read from the scope which route it was.
                scope["path"], scope["raw_path"] = path, path.encode()
        await self.app(scope, receive, send)


class Watch:
    """Sees every request once, on its way in and out. Counted by route, never by path: paths have no end."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        # Bound once: a logger that binds itself anew takes 5 µs to find that nobody wants the line.
        self._log = log.bind()
        self._prefix = secrets.token_hex(8)
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), 0
        request_id = self._request_id(scope)
        header = b"x-request-id", request_id.encode("latin-1")

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        bound = REQUEST.set(request_id)
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if status:  # the answer is under way: only the server can end it now
                log.exception("request_broken", method=scope["method"], path=scope["path"])
                raise
            failure = from_exception(error)
            scope["app"].state.deps.room.note(error)
            if failure.status >= 500 and failure.code == "internal":
                log.exception("request_failed", method=scope["method"], path=scope["path"])
            await problem(failure)(scope, receive, answer)
        finally:
            self._count(scope, status, time.monotonic() - began)
            REQUEST.reset(bound)

    def _request_id(self, scope: Scope) -> str:
        """As the client calls it, else a name of our own."""
        for name, value in scope["headers"]:
            if name == b"x-request-id" and value:
                return str(value.decode("latin-1"))[:64]
        return f"{self._prefix}{next(self._numbers):08x}"

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "(none)")
        scope["app"].state.deps.metrics.request(scope["method"], route, status, seconds)
        if scope["path"] not in QUIET:
            ms = round(seconds * 1000, 2)
            self._log.debug("request", method=scope["method"], path=scope["path"], status=status, ms=ms)
