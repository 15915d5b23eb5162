"""Which private pools are whose.

An engine sees what it claims, keys included. So somebody's engine may only serve pools that nobody else's runs are in:
those that bear its owner's name.
"""

from __future__ import annotations

from pyscrai.contract.problems import FieldError
from pyscrai_api.access import LOCAL_OWNER
from pyscrai_api.errors import Forbidden, Invalid


def is_own_pool(owner: str, pool: str) -> bool:
    """Whether a pool belongs to this owner by its name. Names of people have no hyphen, so it is one owner's only."""
    return pool == owner or pool.startswith(f"{owner}-")


def check_engine_pool(owner: str, pool: str | None) -> None:
    """Raises Forbidden for an engine that would serve other people's work."""
    if owner != LOCAL_OWNER and (pool is None or not is_own_pool(owner, pool)):
        raise Forbidden(f"an engine of {owner} serves {owner}'s own pools only: name the pool {owner}, or {owner}-…")


def check_pool(owner: str, pool: str | None, pointer: str = "/pool") -> None:
    """Raises Invalid for work that would be put into a pool of somebody else's engines."""
    if pool is not None and owner != LOCAL_OWNER and not is_own_pool(owner, pool):
        message = f"work of {owner} goes to everybody's engines, or to a pool called {owner} or {owner}-…"
        raise Invalid(message, errors=[FieldError(pointer=pointer, message=message)])


def check_lane(owner: str, lane: str, pointer: str) -> None:
    """The same for a lane, which may name a pool behind a colon."""
    _, colon, pool = lane.partition(":")
    check_pool(owner, pool if colon else None, pointer)


def may_see_lane(owner: str, lane: str) -> bool:
    """Whether somebody may know that there is this lane."""
    _, colon, pool = lane.partition(":")
    return owner == LOCAL_OWNER or not colon or is_own_pool(owner, pool)
