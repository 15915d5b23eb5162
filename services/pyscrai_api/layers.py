"""The outer layers of the service, as plain ASGI (a few microseconds each).

Watch       request id, one log line and one metric per request, and the last net for unexpected errors
Paths       `/api/x` is `/api/v1/x`; one slash at the end does not matter; never a redirect
"""

from __future__ import annotations

import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyscrai_api.errors import from_exception, problem
from pyscrai_api.ids import new_id

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), 0
        request_id = Headers(scope=scope).get("x-request-id", "")[:64] or new_id().hex

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id):
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

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "(none)")
        scope["app"].state.deps.metrics.request(scope["method"], route, status, seconds)
        if scope["path"] not in QUIET:
            log.debug("request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 2))
