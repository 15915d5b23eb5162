"""Conversations (seed 000): create, list, and the hydrated snapshot."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pyscrai.contract.scenarios import Conversation, ConversationStatus, HydratedConversation, NewConversation
from pyscrai.contract.wire import Page
from pyscrai_api import conversations
from pyscrai_api.idempotency import key_of
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.routes.runs import LOG_PAGE, readable
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1", tags=["conversations"], route_class=CleanRoute)


@router.post("/conversations", status_code=201, response_model=Conversation)
async def create(request: Request, wanted: NewConversation, shared: Shared, who: Who) -> Response:
    """Make a conversation from a scenario. It begins at once, as a run: `run_id` is for `/runs` and its streams."""
    key = key_of(request, owner=who.owner, route="POST /conversations", body=await request.body())
    async with shared.pool.acquire() as conn:
        plan = await conversations.prepare(conn, wanted, who.owner)
    return (await conversations.create(shared.runs, plan, who.owner, key)).response()


@router.get("/conversations")
async def page(
    shared: Shared,
    who: Who,
    scenario: Annotated[str | None, Query(alias="scenarioId")] = None,
    status: ConversationStatus | None = None,
    after: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[Conversation]:
    """The caller's conversations, newest first."""
    async with shared.pool.acquire() as conn:
        return await conversations.page(conn, who.owner, scenario=scenario, status=status, after=after, limit=limit)


@router.get("/conversations/{conversation}")
async def one(
    conversation: str,
    shared: Shared,
    who: Who,
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=LOG_PAGE)] = LOG_PAGE,
) -> HydratedConversation:
    """The hydrated snapshot: the pinned scenario as it was posted, the runtime choices, and the events."""
    run_id = await readable(shared, who, conversation)
    async with shared.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        return await conversations.hydrated(conn, run_id, after, limit)
