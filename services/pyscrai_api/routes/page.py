"""The page at `/`, for a person who opens the service in a browser."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from pyscrai_api.page import html
from pyscrai_api.page.facts import look
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter()


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def page(shared: Shared, who: Who) -> HTMLResponse:
    """What is running, the queue, the latest runs."""
    facts = await look(shared.pool, who.owner, links=shared.settings.token is None)
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": html.policy(),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(html.page(facts), headers=headers)
