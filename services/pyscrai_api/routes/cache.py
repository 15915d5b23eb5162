"""The cache of answers, of which everybody has their own."""

from __future__ import annotations

from fastapi import APIRouter

from pyscrai.contract.calls import CachedAnswers
from pyscrai_api.money import cache
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1/cache", tags=["money"])


@router.get("")
async def held(shared: Shared, who: Who) -> CachedAnswers:
    """How many answers are kept, their size, and how often runs have taken one in place of a model call."""
    async with shared.pool.acquire() as conn:
        return await cache.held(conn, who.owner, shared.settings.cache_days)


@router.delete("", status_code=204)
async def clear(shared: Shared, who: Who) -> None:
    """Forget them all; runs that ask for the cache then ask models again."""
    async with shared.pool.acquire() as conn:
        await cache.clear(conn, who.owner)
