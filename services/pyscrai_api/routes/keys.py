"""Keys of model providers, each caller's own. They go in, and never come out again here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from pyscrai.contract.people import NewKey, StoredKey
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1/keys", tags=["people"])


@router.get("")
async def page(shared: Shared, who: Who) -> list[StoredKey]:
    """Which keys the caller keeps here, and since when."""
    return await shared.keys.all(who.owner)


@router.put("/{provider}")
async def put(provider: str, given: NewKey, shared: Shared, who: Who) -> StoredKey:
    """Keep a key, encrypted, in place of an earlier one. 409 where the installation has no secret to do so."""
    return await shared.keys.put(who.owner, provider, given)


@router.delete("/{provider}", status_code=204)
async def remove(
    provider: str,
    shared: Shared,
    who: Who,
    base_url: Annotated[str | None, Query(description="of openai-like: which server's")] = None,
) -> Response:
    """Forget a key."""
    await shared.keys.remove(who.owner, provider, base_url)
    return Response(status_code=204)
