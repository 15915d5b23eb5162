"""Whether the process lives, whether it can serve, what it counts, and whether the data is sound."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request

from pyscrai_api.database import newest_revision, revision
from pyscrai_api.deps import deps
from pyscrai_api.errors import Unavailable

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
    return {"status": "ready", "revision": at}
