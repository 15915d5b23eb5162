"""People: who one is, and, for the holder of the installation's token, who may come in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from pyscrai.contract.people import AddedUser, Me, NewUser, User
from pyscrai_api.access import Caller, admin
from pyscrai_api.deps import Deps
from pyscrai_api.errors import Conflict
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1/users", tags=["people"])
NO_STORE = {"Cache-Control": "no-store"}


async def _admin(request: Request) -> Caller:
    return admin(request)


Admin = Annotated[Caller, Depends(_admin)]
"""The caller, who holds the installation's token: everybody else gets 403."""


@router.post("", status_code=201)
async def add(wanted: NewUser, shared: Shared, who: Admin, response: Response) -> AddedUser:
    """Add somebody. The token in the answer is shown only here. 409 if the name is taken."""
    response.headers.update(NO_STORE)
    return await shared.users.add(wanted.name, who.owner)


@router.get("")
async def page(shared: Shared, who: Admin) -> list[User]:
    """Everybody who has a token of their own, by name."""
    return await shared.users.all()


@router.get("/me")
async def me(who: Who) -> Me:
    """Who the token in the request belongs to."""
    return Me(name=who.owner, admin=who.admin, pools=None if who.admin else f"{who.owner} and {who.owner}-…")


@router.delete("/{name}", status_code=204)
async def remove(name: str, shared: Shared, who: Admin) -> Response:
    """Take somebody's token and keys away, and pause what they have running. What they made stays theirs."""
    await shared.users.get(name)
    # Before, so that a request that was cut off can be repeated; and after, for what they began meanwhile.
    await _stop(shared, name, who)
    for engine_id in await shared.users.remove(name):
        shared.queue.engines.claimants.forget(engine_id)
        shared.queue.claimers.let_go(engine_id)
    await _stop(shared, name, who)
    return Response(status_code=204)


async def _stop(shared: Deps, name: str, by: Caller) -> None:
    """Let nothing of somebody's go on by itself: batches start no more runs, runs pause, and those that have not begun
    never will."""
    await shared.batches.stop_all(name)
    for run in await shared.users.under_way(name):
        try:
            if run.unbegun:
                await shared.runs.control.cancel(run.id)
            else:
                await shared.runs.control.pause(run.id, by.owner)
        except Conflict:
            continue  # it has come to rest by itself
