"""Model providers: what may be asked of them, and whether they can be asked now."""

from __future__ import annotations

from fastapi import APIRouter

from pyscrai.contract.providers import ProviderState
from pyscrai_api.money.provider_state import states
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1/providers", tags=["providers"])


@router.get("")
async def page(shared: Shared, who: Who) -> list[ProviderState]:
    """Every provider that has limits or is being asked: its limits, open calls, and for how long it wants no more."""
    return await states(shared.pool, shared.providers.declared, who.owner)
