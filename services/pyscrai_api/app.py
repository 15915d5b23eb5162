"""The application: which routers, in which order, behind which checks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pyscrai_api.access import Access
from pyscrai_api.deps import Deps, open_deps
from pyscrai_api.errors import ApiError, from_exception, problem
from pyscrai_api.layers import Paths, Watch
from pyscrai_api.light import Light
from pyscrai_api.loops.all import all_running
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


def create_app(settings: Settings, deps: Deps | None = None) -> FastAPI:
    """The application. Without `deps` it opens and closes its own while it is served."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if deps is not None:
            yield
            return
        async with open_deps(settings) as app.state.deps, all_running(app.state.deps):
            yield

    app = FastAPI(
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
    # The last one added is the outermost.
    app.add_middleware(Light, routes=app.router.routes)
    app.add_middleware(Access, settings=settings)
    app.add_middleware(Paths)
    app.add_middleware(Watch)
    return app


async def render(request: Request, error: Exception) -> Response:
    """The one handler: every error becomes a problem."""
    return problem(from_exception(error))
