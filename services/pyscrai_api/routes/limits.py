"""Limits wider than a run's."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from pyscrai.contract.limits import LimitScope, SetLimit, WiderLimit
from pyscrai.domain.choices import GROUP
from pyscrai_api.access import Caller
from pyscrai_api.errors import Forbidden
from pyscrai_api.money.limits import Wanted
from pyscrai_api.routes.shared import Shared, Who

router = APIRouter(prefix="/api/v1/limits", tags=["limits"])

User = Annotated[str | None, Query(max_length=100, description="somebody else, for the installation's token only")]
Group = Annotated[str, Path(pattern=GROUP)]


@router.get("")
async def page(shared: Shared, who: Who, user: User = None) -> list[WiderLimit]:
    """Where the limits stand that hold for the caller."""
    return await shared.limits.all(_whose(who, user))


@router.put("/group/{name}")
async def put_group(name: Group, wanted: SetLimit, shared: Shared, who: Who, user: User = None) -> list[WiderLimit]:
    """Set the limit of a group of runs. The answer is where all limits stand then."""
    return await _set(shared, who, user, "group", name, wanted)


@router.put("/{scope}")
async def put(
    scope: Literal["day", "week", "installation", "events"],
    wanted: SetLimit,
    shared: Shared,
    who: Who,
    user: User = None,
) -> list[WiderLimit]:
    """Set a limit; runs that were out of money go on where it allows that. The answer is where all limits stand."""
    return await _set(shared, who, user, scope, "", wanted)


async def _set(
    shared: Shared, who: Caller, user: str | None, scope: LimitScope, name: str, wanted: SetLimit
) -> list[WiderLimit]:
    whose = _whose(who, user)
    limit: Decimal | None = None if wanted.limit == "none" else wanted.limit
    await shared.limits.set(Wanted(scope=scope, name=name, user=whose, limit=limit), by=who.owner, admin=who.admin)
    await shared.runs.going.run_once()
    return await shared.limits.all(whose)


def _whose(who: Caller, user: str | None) -> str:
    if user is not None and user != who.owner and not who.admin:
        raise Forbidden("only the holder of the installation's token sees and sets the limits of others")
    return user or who.owner
