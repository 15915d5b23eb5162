"""Whether the process lives, whether it can serve, what it counts, and whether the data is sound."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pyscrai_api.access import caller
from pyscrai_api.database import newest_revision, revision
from pyscrai_api.deps import deps
from pyscrai_api.errors import Unavailable
from pyscrai_api.invariants import broken

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive; nothing else is looked at."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str]:
    """The database answers and has the schema that this code needs; 503 otherwise."""
    async with deps(request).pool.acquire(timeout=5) as connection:
        at = await revision(connection)
    if at != newest_revision():
        raise Unavailable(f"the database is at revision {at}, {newest_revision()} is needed")
    # Reads are still served without room to write: what is wrong is said, and the process stays in service.
    trouble = deps(request).room.trouble
    return {"status": "ready", "revision": at, **({"trouble": trouble} if trouble else {})}


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus reads here."""
    page = await deps(request).metrics.page()
    return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/api/v1/health/invariants")
async def invariants(request: Request) -> dict[str, list[dict[str, Any]]]:
    """What must never be: each query with the rows that break it; all lists are empty in a sound database."""
    async with deps(request).pool.acquire() as connection:
        found = await broken(connection)
    # Whose rows they are is for the holder of the installation's token; that there are any is for everybody.
    return found if caller(request).admin else {name: [{} for _ in rows] for name, rows in found.items()}
