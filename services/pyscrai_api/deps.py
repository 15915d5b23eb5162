"""What the routes and loops of one API process share, made once at its start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from pyscrai_api.database import Pool, connect, migrate
from pyscrai_api.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Deps:
    """`stopping` is set when the service begins to stop: long polls and streams end then."""

    settings: Settings
    pool: Pool
    stopping: asyncio.Event


def deps(connection: HTTPConnection) -> Deps:
    """The shared things, as a FastAPI dependency or a plain call."""
    found: Deps = connection.app.state.deps
    return found


@asynccontextmanager
async def open_deps(settings: Settings) -> AsyncIterator[Deps]:
    """Migrate, connect and build everything; close it all in the opposite order. Raises StartupError."""
    async with AsyncExitStack() as stack:
        await migrate(settings.database_url)
        pool = await connect(settings)
        stack.push_async_callback(pool.close)
        yield Deps(settings=settings, pool=pool, stopping=asyncio.Event())
