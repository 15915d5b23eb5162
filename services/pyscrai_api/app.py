"""The application: which routers, in which order, behind which checks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pyscrai_api.access import Access
from pyscrai_api.deps import Deps, open_deps
from pyscrai_api.errors import ApiError, from_exception, problem
from pyscrai_api.layers import Paths, Watch
from pyscrai_api.light import Light
from pyscrai_api.loops.all import all_running
from pyscrai_api.openapi import with_problems
from pyscrai_api.routes import (
    batches,
    branches,
    cache,
    catalog,
    comparisons,
    conversations,
    costs,
    engines,
    estimates,
    events,
    executions,
    health,
    insights,
    keys,
    limits,
    operating,
    page,
    people,
    providers,
    runs,
    scenarios,
    seats,
    sockets,
)
from pyscrai_api.settings import Settings


class Service(FastAPI):
    """FastAPI behind our own layers. Nothing stands outside of them: `Watch` is the last net for unexpected errors, as
    FastAPI's outermost layers would be, and those cost every request something."""

    def __init__(self, settings: Settings, **more: Any) -> None:
        super().__init__(**more)
        self._settings = settings

    def openapi(self) -> dict[str, Any]:
        """The description of the API, with the errors as they are."""
        if self.openapi_schema is None:
            self.openapi_schema = with_problems(super().openapi())
        return self.openapi_schema

    def build_middleware_stack(self) -> ASGIApp:
        """Our layers, the one that turns errors into answers, and the routes."""
        routes: ASGIApp = AsyncExitStackMiddleware(self.router)
        plain = ExceptionMiddleware(routes, handlers=self.exception_handlers, debug=self.debug)
        return Watch(Paths(Access(Light(plain, self.router.routes), self._settings)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)


def create_app(settings: Settings, deps: Deps | None = None) -> FastAPI:
    """The application. Without `deps` it opens and closes its own while it is served."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if deps is not None:
            yield
            return
        async with open_deps(settings) as app.state.deps, all_running(app.state.deps):
            yield

    app = Service(
        settings,
        title="PyScrAI",
        version=version("pyscrai"),
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url="/api/v1/openapi.json",
        docs_url="/docs",
        redoc_url=None,
    )
    if deps is not None:
        app.state.deps = deps
    for kind in (ApiError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, render)
    work = (
        providers,
        operating,
        events,
        runs,
        branches,
        comparisons,
        seats,
        insights,
        estimates,
        batches,
        costs,
        cache,
        limits,
        conversations,
        sockets,
    )
    for noun in (page, health, people, keys, catalog, scenarios, executions, engines, *work):
        # They are complete; `include_router` would analyse each of them once more, at the first requests.
        app.router.routes.extend(noun.router.routes)
    return app


async def render(request: Request, error: Exception) -> Response:
    """The one handler: every error becomes a problem."""
    return problem(from_exception(error))
