"""The page at `/`, for a person who opens the service in a browser, and the page of one run."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from pyscrai_api.page import html, story
from pyscrai_api.page.facts import look
from pyscrai_api.routes.runs import readable
from pyscrai_api.routes.shared import Shared, Who
from pyscrai_api.runs import reading
from pyscrai_api.runs.entries import read_log

router = APIRouter()


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def page(shared: Shared, who: Who) -> HTMLResponse:
    """What is running, the queue, the latest runs."""
    facts = await look(shared.pool, shared.queue.depths, who.owner, links=shared.settings.token is None)
    return _answer(html.page(facts))


@router.get("/runs/{run}", response_class=HTMLResponse, include_in_schema=False)
async def told(run: str, shared: Shared, who: Who) -> HTMLResponse:
    """What was said and done in a run. It needs the same access as the run itself over the API."""
    run_id = await readable(shared, who, run)
    async with shared.pool.acquire() as conn:
        found = await reading.read_run(conn, run_id)
        version = await conn.fetchval("SELECT plan_version FROM runs WHERE id = $1", run_id)
        scenario = (await shared.runs.plans.of(conn, run_id, version)).scenario
        log = await read_log(conn, run_id, 0, story.MOST + 1)
    titles = {seat: scenario.seat_title(seat) for seat in scenario.seats}
    return _answer(story.page(found, titles, log))


def _answer(content: str) -> HTMLResponse:
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": html.policy(),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(content, headers=headers)
