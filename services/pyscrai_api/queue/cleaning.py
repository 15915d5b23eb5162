"""Text is cleaned where it enters: NUL and lone surrogates, which PostgreSQL refuses, become U+FFFD.

They can only come as escapes (`\\u0000`, `\\ud800`), so a body without any is not looked at twice. (In UTF-16, which
Python reads as well, escapes look otherwise; what is written so has zeros between its letters.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from pyscrai.domain.canonical import clean_text


class CleanRequest(Request):
    """A request whose JSON is clean."""

    async def json(self) -> Any:
        body = await self.body()
        value = json.loads(body)
        return clean(value) if b"\\u" in body or b"\0" in body else value


class CleanRoute(APIRoute):
    """A route whose bodies are cleaned before they are validated."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(CleanRequest(request.scope, request.receive))

        return handle


def clean(value: Any) -> Any:
    """A decoded JSON value with clean texts and keys."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value
