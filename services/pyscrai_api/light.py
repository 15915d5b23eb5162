"""Light routes: requests that come by the thousand skip what FastAPI does for each of them.

A route that is marked `@light` is declared, documented and checked like any other. Where its path is called exactly and
its body is what the signature says, its function is called at once, with a body that was read from the bytes in one go;
FastAPI's own way costs 60 to 90 µs more. Whatever does not fit goes that way all the same, body included: so there is
one place that says what is wrong with a request.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyscrai_api.errors import Invalid
from pyscrai_api.queue.cleaning import clean
from pyscrai_api.routes.shared import Shared, Who

E = TypeVar("E", bound=Callable[..., Any])

_MARK = "__light__"
_ESCAPE = b"\\u"
"""Only as an escape can a text bring what has to be cleaned."""


def light(endpoint: E) -> E:
    """Mark the function of a route. It takes the request, `Shared`, `Who`, texts of the path, and one JSON body."""
    setattr(endpoint, _MARK, True)
    return endpoint


class JsonResponse(Response):
    """JSON that exists as bytes already. `kept` False: nobody on the way may keep a copy of it."""

    def __init__(self, body: bytes, status_code: int = 200, *, kept: bool = True) -> None:
        # By hand: what the base class does for its headers takes longer than all else that is done with them.
        self.status_code, self.body, self.background = status_code, body, None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        if not kept:
            self.raw_headers.append((b"cache-control", b"no-store"))


class _KnownBody(Request):
    """A request whose body has been read."""

    def __init__(self, scope: Scope, receive: Receive, body: bytes) -> None:
        super().__init__(scope, receive)
        self._body = body


class LightCall:
    """What one light route needs of a request, found out once. Raises TypeError for a signature that is not light."""

    def __init__(self, route: APIRoute) -> None:
        self.route = route
        self._endpoint = route.endpoint
        self._status = route.status_code or 200
        signature = inspect.signature(route.endpoint, eval_str=True)
        self._request = self._shared = self._who = self._body = ""
        self._reader: TypeAdapter[Any] | None = None
        for name, parameter in signature.parameters.items():
            if name in route.param_convertors:
                continue
            if parameter.default is not inspect.Parameter.empty:
                raise TypeError(f"{route.path}: a light route has no query, as {name} would be")
            self._take(name, parameter.annotation)
        wanted = signature.return_annotation
        self._writer = None if inspect.isclass(wanted) and issubclass(wanted, Response) else TypeAdapter(wanted)

    def _take(self, name: str, annotation: Any) -> None:
        if annotation is Request:
            self._request = name
        elif annotation == Shared:
            self._shared = name
        elif annotation == Who:
            self._who = name
        elif self._reader is None:
            self._body, self._reader = name, TypeAdapter(annotation)
        else:
            raise TypeError(f"{self.route.path}: {name} would be a second body")

    def arguments(self, scope: Scope, receive: Receive, body: bytes) -> dict[str, Any] | None:
        """What the function is called with; None where the body is not what it should be."""
        found: dict[str, Any] = dict(scope.get("path_params") or ())
        if self._reader is not None:
            try:
                if _ESCAPE in body:
                    found[self._body] = self._reader.validate_python(clean(json.loads(body)))
                else:
                    found[self._body] = self._reader.validate_json(body)
            except (ValidationError, ValueError, RecursionError):
                return None
        if self._request:
            found[self._request] = _KnownBody(scope, receive, body)
        if self._shared:
            found[self._shared] = scope["app"].state.deps
        if self._who:
            found[self._who] = scope["state"]["caller"]
        return found

    async def response(self, arguments: dict[str, Any]) -> Response:
        """What the function answers."""
        answer = await self._endpoint(**arguments)
        if isinstance(answer, Response):
            return answer
        assert self._writer is not None, "a light route that answers with a value says of which type"
        return JsonResponse(self._writer.dump_json(answer, by_alias=True), self._status)


class Light:
    """Answers light routes; everything else goes on to FastAPI."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self.app = app
        self._fixed: dict[tuple[str, str], LightCall] = {}
        self._named: list[tuple[re.Pattern[str], LightCall]] = []
        for route in routes:
            if isinstance(route, APIRoute) and hasattr(route.endpoint, _MARK):
                self._add(LightCall(route))

    def _add(self, call: LightCall) -> None:
        for method in call.route.methods or ():
            if call.route.param_convertors:
                self._named.append((re.compile(f"{method} {call.route.path_regex.pattern.removeprefix('^')}"), call))
            else:
                self._fixed[method, call.route.path] = call

    def _find(self, scope: Scope) -> LightCall | None:
        method, path = scope["method"], scope["path"]
        call = self._fixed.get((method, path))
        if call is not None or method != "PUT":
            return call
        for pattern, named in self._named:
            match = pattern.match(f"{method} {path}")
            if match is not None:
                scope["path_params"] = match.groupdict()
                return named
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._find(scope) if scope["type"] == "http" else None
        if call is None:
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        arguments = call.arguments(scope, receive, body)
        if arguments is None:
            await self.app(scope, _again(body, receive), send)
            return
        scope["route"] = call.route
        response = await call.response(arguments)
        await response(scope, receive, send)


async def _read(receive: Receive) -> bytes:
    """The whole body. Raises Invalid where the client goes before its end, which nobody hears."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Invalid("the body ended before its end")
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A receiver that begins with a body that was read already."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return first.pop() if first else await receive()

    return next_message
