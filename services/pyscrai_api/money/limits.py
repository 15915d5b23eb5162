"""Wider limits as people see and set them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from pyscrai.contract.limits import LimitScope, WiderLimit
from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import Forbidden, Invalid
from pyscrai_api.money.account import TODAY
from pyscrai_api.money.purses import ALWAYS, OWN, Purse, PurseKey, WiderLimits, keys, read
from pyscrai_api.money.standing import anew_on

MOST_GROUPS = 500
_TODAY = f"SELECT {TODAY}"
_ROWS = "SELECT scope, name, limit_usd, set_by, set_at FROM limits WHERE owner IN ($1, '')"
_GROUPS = """
SELECT name FROM purses WHERE scope = 'group' AND owner = $1
UNION SELECT name FROM limits WHERE scope = 'group' AND owner = $1 ORDER BY name LIMIT $2
"""
_HELD = """
SELECT c.owner, r.group_name, c.drawn_on, sum(c.reserved) AS reserved, 0::numeric AS drawn
FROM calls c LEFT JOIN runs r ON r.id = c.run_id WHERE c.state = 1 AND c.drawn_on IS NOT NULL GROUP BY 1, 2, 3
UNION ALL SELECT owner, group_name, drawn_on, 0, sum(tranche)
FROM runs WHERE status = 'running' AND tranche > 0 GROUP BY 1, 2, 3
UNION ALL SELECT owner, NULL, drawn_on, 0, tranche FROM budgets WHERE tranche > 0
"""
_BUDGET = "SELECT limit_usd, spent, reserved, tranche FROM budgets WHERE owner = $1"
_SET = """
INSERT INTO limits (scope, owner, name, limit_usd, taken, period, set_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (scope, owner, name) DO UPDATE SET limit_usd = $4, taken = $5, period = $6, set_by = $7, set_at = now()
"""
_SET_BUDGET = """
INSERT INTO budgets (owner, limit_usd) VALUES ($1, $2) ON CONFLICT (owner) DO UPDATE SET limit_usd = $2
WHERE budgets.spent + budgets.reserved <= $2 RETURNING owner
"""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A limit to be set: `user`'s, or of the installation; None: no limit."""

    scope: LimitScope
    name: str
    user: str
    limit: Decimal | None


class Limits:
    """`wider`: the installation's own; `default_limit`: of events without a run."""

    def __init__(self, pool: Pool, wider: WiderLimits, default_limit: Decimal | None) -> None:
        self._pool = pool
        self._wider = wider
        self._default_limit = default_limit

    async def all(self, user: str) -> list[WiderLimit]:
        """Where every limit of one person stands: groups by name, day, week, installation, events."""
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            today = await conn.fetchval(_TODAY)
            groups = [row["name"] for row in await conn.fetch(_GROUPS, user, MOST_GROUPS)]
            set_rows = {(row["scope"], row["name"]): row for row in await conn.fetch(_ROWS, user)}
            held = await conn.fetch(_HELD)
            of_groups = [PurseKey("group", user, group, ALWAYS) for group in groups]
            purses = await read(conn, keys(user, None, today), self._wider)
            for key in of_groups:
                purses |= {key: (await read(conn, [key], self._wider))[key]}
            budget = await conn.fetchrow(_BUDGET, user)
        found = [_shown(key, purses[key], held, set_rows, user) for key in [*of_groups, *keys(user, None, today)]]
        return [*found, self._events(user, budget)]

    async def set(self, wanted: Wanted, *, by: str, admin: bool) -> None:
        """Set a limit. A person's own day and week only become lower by it than what was set for them.

        Raises Forbidden where it is not the caller's to set, Invalid where it makes no sense.
        """
        if not admin and (wanted.scope == "installation" or wanted.user != by):
            raise Forbidden("only the holder of the installation's token sets limits of others and of the installation")
        if wanted.scope == "events":
            await self._set_events(wanted)
            return
        async with self._pool.acquire() as conn, conn.transaction():
            key = await _key(conn, wanted)
            name = wanted.name
            if wanted.scope in ("day", "week") and not admin:
                await self._check_own(conn, wanted)
                name = OWN
            # The purse's lock: nobody draws between what is read here and the new limit.
            purse = (await read(conn, [key], self._wider, lock=True))[key]
            await conn.execute(_SET, key.scope, key.owner, name, wanted.limit, purse.taken, key.period, by)

    async def _check_own(self, conn: Connection, wanted: Wanted) -> None:
        rows = {(row["scope"], row["name"]): row["limit_usd"] for row in await conn.fetch(_ROWS, wanted.user)}
        given = {"day": self._wider.day, "week": self._wider.week}[wanted.scope]
        theirs = rows.get((wanted.scope, ""), given)
        if theirs is not None and wanted.limit is not None and wanted.limit > theirs:
            raise Forbidden(
                f"{theirs:f} USD a {wanted.scope} were set for you; only the installation's token raises that"
            )

    async def _set_events(self, wanted: Wanted) -> None:
        if wanted.limit is None:
            raise Invalid("events without a run keep a limit; give an amount")
        if await self._pool.fetchval(_SET_BUDGET, wanted.user, wanted.limit) is None:
            raise Invalid(f"{wanted.limit:f} USD is below what is spent or reserved already")

    def _events(self, user: str, row: Any) -> WiderLimit:
        zero = Decimal(0)
        values = dict(row or {"limit_usd": self._default_limit, "spent": zero, "reserved": zero, "tranche": zero})
        if self._default_limit is None and not values["limit_usd"]:
            values["limit_usd"] = None
        taken, limit = values["spent"] + values["reserved"], values["limit_usd"]
        return WiderLimit(
            scope="events",
            user=user,
            limit=limit,
            taken=taken,
            reserved=values["reserved"],
            drawn=zero,
            free=None if limit is None else max(zero, limit - taken),
        )


async def _key(conn: Connection, wanted: Wanted) -> PurseKey:
    if wanted.scope == "group":
        return PurseKey("group", wanted.user, wanted.name, ALWAYS)
    of_today = {key.scope: key for key in keys(wanted.user, None, await conn.fetchval(_TODAY))}
    return of_today[wanted.scope]


def _shown(
    key: PurseKey, purse: Purse, held: Sequence[Any], rows: Mapping[tuple[str, str], Any], user: str
) -> WiderLimit:
    mine = [row for row in held if key in keys(row["owner"], row["group_name"], row["drawn_on"])]
    told, own = rows.get((key.scope, key.name)), rows.get((key.scope, OWN)) if key.scope in ("day", "week") else None
    until = anew_on(key.scope, key.period)
    by = own if own is not None and own["limit_usd"] is not None and own["limit_usd"] == purse.limit else told
    return WiderLimit.model_validate(
        {
            "scope": key.scope,
            "name": key.name,
            "user": user if key.owner else None,
            "limit": purse.limit,
            "own": None if own is None else own["limit_usd"],
            "taken": purse.taken,
            "reserved": sum((row["reserved"] for row in mine), Decimal(0)),
            "drawn": sum((row["drawn"] for row in mine), Decimal(0)),
            "free": None if purse.limit is None else max(Decimal(0), purse.limit - purse.taken),
            "period": None if key.period == ALWAYS else key.period.isoformat(),
            "anew_at": None if until is None else _midnight(until),
            "set_by": None if by is None else by["set_by"],
            "set_at": None if by is None else by["set_at"].isoformat(),
        }
    )


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()
