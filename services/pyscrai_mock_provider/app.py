"""The HTTP interface: what OpenAI's clients ask for, and the bill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pyscrai_mock_provider import outcomes
from pyscrai_mock_provider.outcomes import Dropped, Held, Outcome, Reply
from pyscrai_mock_provider.provider import Provider

MODEL = "mock"
CONNECTION = "pyscrai.connection"


class Connection(Protocol):
    """What a server lets us do with the connection of a request, in the scope's extensions."""

    def is_closing(self) -> bool: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Completions:
    """POST /v1/chat/completions. An ASGI application: some of its answers are none."""

    provider: Provider
    stopping: asyncio.Event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Connection = scope["extensions"][CONNECTION]
        request = Request(scope, receive)
        with self.provider.request():
            try:
                body = await request.body()
            except ClientDisconnect:
                # Half a request is none.
                return
            outcome = await self.provider.complete(body, _key(request), lambda: not connection.is_closing())
            await self._send(outcome, connection, scope, receive, send)

    async def _send(self, outcome: Outcome, connection: Connection, scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(outcome, Reply):
            headers = {"content-type": "application/json"} | outcome.headers
            await Response(outcome.body, outcome.status, headers)(scope, receive, send)
            return
        if isinstance(outcome, Dropped) and outcome.body:
            headers_sent = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(outcome.body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers_sent})
            half = outcome.body[: len(outcome.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        if isinstance(outcome, Held):
            await self._until_gone(receive)
        connection.close()
        # The server takes note of a connection's end later; until it does, it would answer in our place.
        await receive()

    async def _until_gone(self, receive: Receive) -> None:
        """Until the other side has had enough, or this server stops."""
        waits = [asyncio.ensure_future(receive()), asyncio.ensure_future(self.stopping.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()


def make_app(provider: Provider, stopping: asyncio.Event) -> Starlette:
    """The application. `stopping` ends what is held; the server sets it before it waits for requests to end."""

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(MODEL)]})

    async def bill(request: Request) -> Response:
        if request.method == "DELETE":
            provider.reset()
            return Response(status_code=204)
        return _after(request, provider.bill.shown)

    async def requests(request: Request) -> Response:
        return _after(request, lambda after: {"requests": provider.bill.requests(after)})

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def nowhere(request: Request, _: Exception) -> Response:
        text = f"Invalid URL ({request.method} {request.url.path})"
        return _send(outcomes.error(404, text, "invalid_request_error", "unknown_url"))

    routes = [
        Route("/v1/chat/completions", Completions(provider, stopping), methods=["POST"]),
        Route("/v1/models", models),
        Route("/bill", bill, methods=["GET", "DELETE"]),
        Route("/requests", requests),
        Route("/healthz", health),
    ]
    handlers: dict[int | type[Exception], Callable[..., object]] = {404: nowhere, 405: nowhere}
    return Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]


def _after(request: Request, show: Callable[[int], dict[str, Any]]) -> Response:
    after = request.query_params.get("after", "0")
    if not (after.isascii() and after.isdecimal() and len(after) < 16):
        return _send(outcomes.error(400, "'after' is a number.", "invalid_request_error"))
    return JSONResponse(show(int(after)))


def _send(reply: Reply) -> Response:
    return Response(reply.body, reply.status, {"content-type": "application/json"} | reply.headers)


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "pyscrai"}


def _key(request: Request) -> str | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None
