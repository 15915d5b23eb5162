"""Limits wider than a run's over HTTP: of a group of runs, of a person's day and week, of the installation."""

from __future__ import annotations

from typing import Literal

from pyscrai.contract.wire import Money, Wire

LimitScope = Literal["group", "day", "week", "installation", "events"]


class WiderLimit(Wire):
    """One limit and what has been taken of it. `limit` None: nothing limits it.

    `taken` = what calls cost + `reserved` (calls that are under way) + `drawn` (held by runs for their next calls).
    `own`: what a person set for themselves, where that is less than what was set for them. `events`: events without a
    run, for as long as the installation stands.
    """

    scope: LimitScope
    name: str = ""
    user: str | None = None
    limit: Money | None = None
    own: Money | None = None
    taken: Money
    reserved: Money
    drawn: Money
    free: Money | None = None
    period: str | None = None
    """The day, or the Monday of the week, that it holds for; None where it never starts anew."""
    anew_at: str | None = None
    """When it starts anew."""
    set_by: str | None = None
    set_at: str | None = None


class SetLimit(Wire):
    """PUT /limits/{scope}, or /limits/group/{name}. `none` takes a limit away."""

    limit: Money | Literal["none"]
