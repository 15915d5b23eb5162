"""Money: what models cost, what a run and an installation have spent."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from pyscrai.contract.costs import Costs, ModelPriceInfo, Part, RunCosts, RunPart
from pyscrai.contract.wire import Page
from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.money.breakdown import PARTS, run_costs
from pyscrai_api.money.price_list import about_prices
from pyscrai_api.money.prices import today
from pyscrai_api.money.spending import costs
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes.runs import readable
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1", tags=["money"], route_class=CleanRoute)
USUAL_DAYS = 30
MOST_MODELS = 100


@router.get("/runs/{run}/costs")
async def of_run(run: str, shared: Shared, who: Who, by: Annotated[list[RunPart] | None, Query()] = None) -> RunCosts:
    """The run's calls, tokens and costs by seat, phase, model and turn; each of them sums up to what it has spent."""
    return await run_costs(shared.pool, await readable(shared, who, run), by or PARTS)


@router.get("/costs")
async def of_installation(
    shared: Shared,
    who: Who,
    by: Part = "day",
    since: date | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Costs:
    """What was paid since a day (UTC, inclusive; the last 30 days), and what is under way. Everybody sees their own,
    the holder of the installation's token everybody's. Calls that cost nothing are not counted."""
    begin = since or today() - timedelta(days=USUAL_DAYS)
    owner = None if who.owner == LOCAL_OWNER else who.owner
    return await costs(shared.pool, by=by, since=begin, owner=owner, limit=limit)


@router.get("/prices")
async def prices(
    shared: Shared,
    who: Who,
    model: Annotated[list[str] | None, Query(max_length=MOST_MODELS)] = None,
    run: Annotated[str | None, Query(description="with the prices that this run has declared")] = None,
) -> Page[ModelPriceInfo]:
    """What models cost in US dollars per million tokens, and who says so. Without `model`: those that the
    installation, or the run, has declared."""
    run_id = None if run is None else await readable(shared, who, run)
    return Page(items=await about_prices(shared.pool, model or [], run_id, shared.prices))
