"""The wider limits: purses of a group of runs, of a person's day and week, and of the whole installation.

An account holds a tranche: money drawn from all its purses of one day and not reserved yet. Always
`purse.taken` = tranches + what open calls reserved + what the others cost, so a purse within its limit holds it for
everything that draws from it. All purses that a transaction draws from are locked by one statement in one order, after
accounts and queue rows; what is given back is written by one more at the transaction's end (`flush`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from pyscrai.domain.money import UNIT
from pyscrai_api.database import Connection
from pyscrai_api.money.account import Account
from pyscrai_api.money.standing import Standing

ALWAYS = date(1970, 1, 1)
"""The period of purses that never start anew. (Not the first date of all: asyncpg takes that for minus infinity.)"""
CALLS_AT_ONCE = 16
"""A tranche is for so many calls like the one that asks, and at most this fraction of what is free."""
CALLS_UNLIMITED = 64
"""The same where nothing is limited: only so that what is taken is known."""
WARN_AT = Decimal("0.8")
_ORDER = "array_position(ARRAY['group', 'day', 'week', 'installation'], p.scope), p.owner, p.name, p.period"
_KEYS = "unnest($1::text[], $2::text[], $3::text[], $4::date[]) AS p (scope, owner, name, period)"
_OPEN = f"""
INSERT INTO purses (scope, owner, name, period)
SELECT p.scope, p.owner, p.name, p.period FROM {_KEYS} ORDER BY {_ORDER} ON CONFLICT DO NOTHING
"""
_LOCK = f"""
SELECT p.scope, p.owner, p.name, p.period, p.taken, p.warned_at
FROM purses p JOIN unnest($1::text[], $2::text[], $3::text[], $4::date[]) AS k (scope, owner, name, period)
  USING (scope, owner, name, period)
ORDER BY {_ORDER} FOR UPDATE OF p
"""
_READ = """
SELECT p.scope, p.owner, p.name, p.period, p.taken, p.warned_at
FROM purses p JOIN unnest($1::text[], $2::text[], $3::text[], $4::date[]) AS k (scope, owner, name, period)
  USING (scope, owner, name, period)
"""
_LIMITS = """
SELECT scope, name, limit_usd FROM limits
WHERE (scope = 'installation' AND owner = '') OR (scope IN ('day', 'week') AND owner = $1)
  OR (scope = 'group' AND owner = $1 AND name = $2)
"""
_APPLY = f"""
WITH held AS MATERIALIZED (
  SELECT p.scope, p.owner, p.name, p.period, k.change, k.warned_at
  FROM purses p JOIN unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::numeric[], $6::numeric[])
    AS k (scope, owner, name, period, change, warned_at) USING (scope, owner, name, period)
  ORDER BY {_ORDER} FOR UPDATE OF p
)
UPDATE purses SET taken = purses.taken + held.change, warned_at = coalesce(held.warned_at, purses.warned_at) FROM held
WHERE (purses.scope, purses.owner, purses.name, purses.period) = (held.scope, held.owner, held.name, held.period)
"""


class PurseKey(NamedTuple):
    """Which purse: `name` is a group's, `period` the day or the Monday of the week."""

    scope: str
    owner: str
    name: str
    period: date


@dataclass(frozen=True, slots=True)
class Purse:
    """A purse as the database has it, and the limit that holds for it; None where nothing limits it."""

    taken: Decimal
    limit: Decimal | None
    warned_at: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WiderLimits:
    """The installation's own, for whom nobody set others. None: no limit."""

    day: Decimal | None = None
    week: Decimal | None = None
    installation: Decimal | None = None


OWN = "own"
"""The name of the row in `limits` with which a person keeps below the day or week that was set for them."""


def keys(owner: str, group: str | None, day: date) -> list[PurseKey]:
    """The purses that an account draws from on a day."""
    of_group = [] if group is None else [PurseKey("group", owner, group, ALWAYS)]
    return [
        *of_group,
        PurseKey("day", owner, "", day),
        PurseKey("week", owner, "", day - timedelta(days=day.weekday())),
        PurseKey("installation", "", "", ALWAYS),
    ]


async def draw(account: Account, need: Decimal, wider: WiderLimits) -> Standing | None:
    """See to it that today's tranche covers `need`; the limit that does not allow it, or None where all do."""
    if account.drawn_on == account.today and account.tranche >= need:
        return None
    _turn_day(account)
    account.purses = await _locked(account, wider)
    found = _standings(account, account.purses)
    short = [standing for standing in found if standing.free < need]
    if short:
        return short[0]
    amount = _tranche(account, need, found)
    account.tranche += amount
    _owe(account, account.today, amount)
    _warn(account)
    return None


def give_back(account: Account, day: date | None, amount: Decimal) -> None:
    """What a call had taken on `day` is free again; a negative amount is taken, by force if need be."""
    if day is None or not amount:
        return
    if day != account.drawn_on:
        _owe(account, day, -amount)
        return
    account.tranche += amount
    if account.tranche < 0:
        _owe(account, day, -account.tranche)
        account.tranche = Decimal(0)


def let_go(account: Account) -> None:
    """The whole tranche goes back to the purses."""
    if account.drawn_on is not None and account.tranche:
        _owe(account, account.drawn_on, -account.tranche)
        account.tranche = Decimal(0)


async def flush(conn: Connection, accounts: Iterable[Account]) -> None:
    """Write what purses are to change by. Once, as the last thing of a transaction: the installation's purse is
    everybody's, and whoever waits for it waits until the commit."""
    changes: dict[PurseKey, Decimal] = {}
    warned: dict[PurseKey, Decimal] = {}
    for account in accounts:
        for key, amount in account.owed.items():
            changes[key] = changes.get(key, Decimal(0)) + amount
        warned |= account.warned
        account.owed, account.warned = {}, {}
    touched = [key for key in changes.keys() | warned.keys() if changes.get(key) or key in warned]
    if touched:
        amounts = [changes.get(key, Decimal(0)) for key in touched]
        await conn.execute(_APPLY, *_columns(touched), amounts, [warned.get(key) for key in touched])


async def standings(account: Account, wider: WiderLimits) -> list[Standing]:
    """Where the wider limits of an account stand now. Nothing is locked: what others do meanwhile is not seen."""
    wanted = keys(account.owner, account.group_name, account.today)
    return _standings(account, await read(account.conn, wanted, wider))


async def read(
    conn: Connection, wanted: list[PurseKey], wider: WiderLimits, *, lock: bool = False
) -> dict[PurseKey, Purse]:
    """Purses of one owner with their limits; with `lock` made where they are not there, and locked."""
    if lock:
        await conn.execute(_OPEN, *_columns(wanted))
    rows = await conn.fetch(_LOCK if lock else _READ, *_columns(wanted))
    # After the lock: whoever sets a limit holds the purse's lock too.
    limits = await _limits(conn, wanted, wider)
    known = {PurseKey(row["scope"], row["owner"], row["name"], row["period"]): row for row in rows}
    return {
        key: Purse(known[key]["taken"], limits.get(key.scope), known[key]["warned_at"])
        if key in known
        else Purse(Decimal(0), limits.get(key.scope))
        for key in wanted
    }


async def _limits(conn: Connection, wanted: list[PurseKey], wider: WiderLimits) -> Mapping[str, Decimal | None]:
    owner = next((key.owner for key in wanted if key.owner), "")
    group = next((key.name for key in wanted if key.scope == "group"), "")
    rows = {(row["scope"], row["name"]): row["limit_usd"] for row in await conn.fetch(_LIMITS, owner, group)}
    return effective(rows, group, wider)


def effective(
    rows: Mapping[tuple[str, str], Decimal | None], group: str, wider: WiderLimits
) -> dict[str, Decimal | None]:
    """The limit of each scope, from one owner's rows of `limits` by (scope, name)."""
    return {
        "group": rows.get(("group", group)),
        "day": _lower(rows.get(("day", ""), wider.day), rows.get(("day", OWN))),
        "week": _lower(rows.get(("week", ""), wider.week), rows.get(("week", OWN))),
        "installation": rows.get(("installation", ""), wider.installation),
    }


def _lower(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


async def _locked(account: Account, wider: WiderLimits) -> dict[PurseKey, Purse]:
    wanted = keys(account.owner, account.group_name, account.today)
    if account.purses is not None:
        if not account.purses.keys() >= {*wanted, *account.owed}:
            raise AssertionError("a transaction locks all its purses at once")
        return account.purses
    return await read(account.conn, [*wanted, *(key for key in account.owed if key not in wanted)], wider, lock=True)


def _standings(account: Account, purses: Mapping[PurseKey, Purse]) -> list[Standing]:
    """As the account sees them: its own tranche is free for it."""
    before = [] if account.drawn_on is None else keys(account.owner, account.group_name, account.drawn_on)
    found = []
    for key in keys(account.owner, account.group_name, account.today):
        purse = purses[key]
        if purse.limit is None:
            continue
        taken = purse.taken + account.owed.get(key, Decimal(0))
        free = purse.limit - taken + (account.tranche if key in before else Decimal(0))
        found.append(
            Standing(scope=key.scope, name=key.name, limit=purse.limit, taken=taken, free=free, period=key.period)
        )
    return found


def _tranche(account: Account, need: Decimal, limited: list[Standing]) -> Decimal:
    """How much to draw: for several calls, but never more than the account could use, and less and less of a purse
    that runs low, so that what one holds unused is not missed by another."""
    missing = need - account.tranche
    wanted = missing * (CALLS_AT_ONCE if limited else CALLS_UNLIMITED)
    if limited:
        least = min(standing.free for standing in limited) - account.tranche
        wanted = min(wanted, (least / CALLS_AT_ONCE).quantize(UNIT, ROUND_FLOOR))
    usable = missing if account.available is None else account.available - account.tranche
    return max(missing, min(wanted, usable))


def _turn_day(account: Account) -> None:
    if account.drawn_on != account.today:
        let_go(account)
        account.drawn_on = account.today


def _owe(account: Account, day: date, amount: Decimal) -> None:
    if amount:
        for key in keys(account.owner, account.group_name, day):
            account.owed[key] = account.owed.get(key, Decimal(0)) + amount


def _warn(account: Account) -> None:
    """Once for each value of a limit."""
    for standing in _standings(account, account.purses or {}):
        key = PurseKey(standing.scope, "" if standing.scope == "installation" else account.owner, standing.name,
                       standing.period or ALWAYS)  # fmt: skip
        seen = account.warned.get(key, (account.purses or {})[key].warned_at)
        if seen != standing.limit and worth_a_warning(standing.taken, standing.limit):
            account.warned[key] = standing.limit
            account.warn(warning(standing.scope, standing.name, standing.limit, standing.taken))


def worth_a_warning(spent: Decimal, limit: Decimal | None) -> bool:
    """Whether so much of a limit is used up that people should know."""
    return bool(limit) and spent >= WARN_AT * (limit or 0)


def warning(scope: str, name: str, limit: Decimal, spent: Decimal) -> dict[str, str]:
    """The body of a `credit_limit_warning`."""
    share = (spent / limit).quantize(Decimal("0.01"), ROUND_FLOOR)
    named = {"name": name} if name else {}
    return {"scope": scope, **named, "share": f"{share:f}", "limit": f"{limit:f}", "spent": f"{spent:f}"}


def _columns(wanted: Iterable[PurseKey]) -> tuple[list[str], list[str], list[str], list[date]]:
    listed = list(wanted)
    return [k.scope for k in listed], [k.owner for k in listed], [k.name for k in listed], [k.period for k in listed]
