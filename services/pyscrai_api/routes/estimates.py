"""What a run would ask and cost."""

from __future__ import annotations

from fastapi import APIRouter

from pyscrai.contract.estimates import Estimate, NewEstimate
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1", tags=["estimates"], route_class=CleanRoute)


@router.post("/estimates")
async def estimate(wanted: NewEstimate, shared: Shared, who: Who) -> Estimate:
    """Calls, tokens and cost of a run by seat, phase and model, before anything is spent. Nothing is kept."""
    return await shared.estimates.estimate(wanted, who.owner)
